// One message on the page: the user's as it was typed, the model's as it comes, with its numbers.

import type { GeneratedToken, GenerationResult } from "./azulejo/index.js";
import { copyButton } from "./copy-button.js";
import { make } from "./dom.js";
import type { Called, Said } from "./conversations.js";
import * as format from "./format.js";
import { TextView } from "./render.js";

/** The running numbers change this often: readable, and no flicker. */
const STATS_EVERY_MS = 250;

/** The page follows the text while the reader is at its end, and lets them read in peace elsewhere. */
let following = true;
addEventListener("scroll", () => {
  const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
  following = scrollHeight - clientHeight - scrollTop < 32;
}, { passive: true });

function follow(): void {
  if (following) scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
}

/** The user's message, with a button to edit it. */
export function question(text: string, edit: () => void): HTMLElement {
  const element = message("user", "You");
  const words = make("div", "text", text);
  words.dir = "auto";
  words.lang = ""; // whatever it is, it need not be the page's
  const foot = make("div", "foot");
  foot.append(plainButton("Edit", "edit", edit));
  element.append(words, foot);
  following = true;
  return element;
}

/** What an answer's buttons do. */
export interface AnswerActions {
  again(): void;
  goOn(): void;
}

/** The model's message. */
export class Answer {
  readonly element = message("assistant", "Model");
  private readonly text = make("div", "text");
  private readonly stats = make("p", "stats quiet numbers");
  private readonly foot = make("div", "foot");
  private readonly view = new TextView(this.text, () => this.painted());
  private thoughts: TextView | undefined;
  private tokens = 0;
  private firstAt = 0;
  private statsAt = 0;

  constructor(private readonly actions: AnswerActions) {
    this.text.lang = ""; // whatever it is, it need not be the page's
    this.state("waiting");
    this.stats.textContent = "Waiting for a model to load";
    this.foot.append(this.stats);
    this.element.append(this.text, this.foot);
  }

  /** The model is there and reads the prompt. */
  reading(): void {
    this.stats.textContent = "Reading";
    this.tokens = 0;
  }

  /** Its text, as the model wrote it. */
  get written(): string {
    return this.view.raw;
  }

  /** An answer from before, as it was finished. */
  static of({ called, answer, reasoning, finish, facts }: Said, actions: AnswerActions): Answer {
    const made = new Answer(actions);
    for (const each of called ?? []) made.called(each);
    if (reasoning) made.push("reasoning", reasoning);
    if (answer) made.push("text", answer);
    made.finish({ finish, facts });
    return made;
  }

  /** It is gone on with: its buttons and its note go until it is finished again. */
  reopen(): void {
    this.state("waiting");
    this.element.querySelector(".note")?.remove();
    this.foot.replaceChildren(this.stats);
  }

  /** One more token. Thoughts go apart from the answer; a call is shown once it is whole. */
  token({ text, kind }: GeneratedToken): void {
    if (this.tokens === 0) {
      this.firstAt = performance.now();
      this.state("streaming");
    }
    this.tokens += 1;
    if (kind !== "tool-call") this.push(kind === "reasoning" ? "reasoning" : "text", text);
  }

  /** A tool was called: what with, and what it said. */
  called({ name, given, result }: Called): void {
    const details = make("details", "call");
    details.append(make("summary", "", `Used the tool ${name}`), make("pre", "", `${name}(${JSON.stringify(given)})\n→ ${result}`));
    this.text.before(details);
  }

  private push(kind: "reasoning" | "text", text: string): void {
    (kind === "reasoning" ? (this.thoughts ??= this.thinking()) : this.view).push(text);
  }

  /** Closes the message with its numbers, its buttons, and a note where the user may wonder. */
  finish({ finish, facts }: Pick<Said, "finish" | "facts">, note?: HTMLElement): void {
    this.end();
    this.state("done");
    this.element.dataset["finish"] = finish;
    this.stats.replaceChildren(...facts.flatMap((fact) => [make("span", "fact", fact), " "]));
    const buttons = make("div", "buttons");
    if (finish === "length" || finish === "aborted") buttons.append(plainButton("Continue", "continue", this.actions.goOn));
    buttons.append(plainButton("Again", "again", this.actions.again));
    buttons.append(copyButton(() => this.view.raw.trim(), "Copy", () => getSelection()?.selectAllChildren(this.text)));
    this.foot.append(buttons);
    if (!this.text.hasChildNodes()) note ??= make("p", "note", `The model had nothing to say${this.thoughts ? " but its thoughts" : ""}. Ask in other words.`);
    if (note) this.foot.before(note);
    follow();
  }

  /** The message is being taken away. */
  cancel(): void {
    this.end();
  }

  private end(): void {
    this.thoughts?.finish();
    this.view.finish();
  }

  /** Where the model's thoughts are written: a word above the answer, which opens. */
  private thinking(): TextView {
    const details = make("details", "thoughts");
    const text = make("div", "text quiet");
    details.append(make("summary", "", "Thoughts"), text);
    this.text.before(details);
    return new TextView(text, () => this.painted());
  }

  private painted(): void {
    const now = performance.now();
    if (this.tokens > 1 && now - this.statsAt > STATS_EVERY_MS) {
      this.statsAt = now;
      const perSecond = ((this.tokens - 1) / (now - this.firstAt)) * 1000;
      this.stats.textContent = `${format.rate(perSecond)} tokens/s · ${format.count(this.tokens)} tokens`;
    }
    follow();
  }

  private state(state: "waiting" | "streaming" | "done"): void {
    this.element.dataset["state"] = state;
    this.element.ariaBusy = String(state !== "done");
  }
}

/** The numbers of an answer. */
export function factsOf({ stats }: GenerationResult, used: number, limit: number): string[] {
  return [
    `${format.rate(stats.tokensPerSecond)} tokens/s`,
    `first after ${format.duration(stats.firstTokenMs)}`,
    `${format.count(stats.generatedTokens)} tokens`,
    `${format.count(used)} of ${format.count(limit)} in context`,
  ];
}

function plainButton(label: string, name: string, act: () => void): HTMLButtonElement {
  const button = make("button", `plain ${name}`, label);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

function message(role: "user" | "assistant", name: string): HTMLElement {
  const element = make("article");
  element.dataset["role"] = role;
  element.append(make("h3", "visually-hidden", name));
  return element;
}
