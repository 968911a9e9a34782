// One message on the page: the user's as it was typed, the model's as it comes, with its numbers.

import type { GeneratedToken, GenerationResult } from "./azulejo/index.js";
import { announce, make } from "./dom.js";
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

/** The user's message. */
export function question(text: string): HTMLElement {
  const element = message("user", "You");
  element.append(make("div", "text", text));
  following = true;
  return element;
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

  constructor() {
    this.state("waiting");
    this.stats.textContent = "Waiting for a model to load";
    this.foot.append(this.stats);
    this.element.append(this.text, this.foot);
  }

  /** The model is there and reads the prompt. */
  reading(): void {
    this.stats.textContent = "Reading";
  }

  /** One more token. Thoughts go apart from the answer; nobody here offers tools, so nothing calls one. */
  token({ text, kind }: GeneratedToken): void {
    if (this.tokens === 0) {
      this.firstAt = performance.now();
      this.state("streaming");
    }
    this.tokens += 1;
    (kind === "reasoning" ? (this.thoughts ??= this.thinking()) : this.view).push(text);
  }

  /** Closes the message with its numbers, a copy button, and a note where the user may wonder. */
  finish(result: GenerationResult, used: number, limit: number, note?: HTMLElement): void {
    this.end();
    this.state("done");
    this.element.dataset["finish"] = result.finishReason;
    const { stats } = result;
    const facts = [
      `${format.rate(stats.tokensPerSecond)} tokens/s`,
      `first after ${format.duration(stats.firstTokenMs)}`,
      `${format.count(stats.generatedTokens)} tokens`,
      `${format.count(used)} of ${format.count(limit)} in context`,
    ];
    this.stats.replaceChildren(...facts.flatMap((fact) => [make("span", "fact", fact), " "]));
    this.foot.append(this.copyButton());
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

  private copyButton(): HTMLButtonElement {
    const button = make("button", "plain copy", "Copy");
    button.type = "button";
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(this.view.raw.trim()).then(
        () => this.said(button, "Copied"),
        () => {
          getSelection()?.selectAllChildren(this.text);
          this.said(button, "Selected: now press Ctrl+C");
        },
      );
    });
    return button;
  }

  private said(button: HTMLButtonElement, text: string): void {
    button.textContent = text;
    announce(text);
    button.addEventListener("blur", () => (button.textContent = "Copy"), { once: true });
  }
}

function message(role: "user" | "assistant", name: string): HTMLElement {
  const element = make("article");
  element.dataset["role"] = role;
  element.append(make("h3", "visually-hidden", name));
  return element;
}
