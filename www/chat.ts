// The conversation: one turn at a time, streamed, with the model's cache kept between turns.

import type { CausalLM, GenerationResult, Message, Session } from "./azulejo/index.js";
import { announce, byId, make } from "./dom.js";
import { hideError, isAbort, showError } from "./errors.js";
import * as format from "./format.js";
import { Answer, question } from "./messages.js";
import { generateOptions, systemPrompt } from "./settings.js";
import { setStatus, state } from "./status.js";
import { isShown } from "./views.js";

const log = byId("log", HTMLElement);
const welcome = byId("welcome", HTMLElement);
const prompt = byId("prompt", HTMLTextAreaElement);
const newChat = byId("new-chat", HTMLButtonElement);

/** A question that is being answered. */
interface Turn {
  text: string;
  abort: AbortController;
  asked: HTMLElement;
  answer: Answer;
  /** Whether the model is at work on it; before, it waits for a model. */
  running: boolean;
}

export class Chat {
  private history: Message[] = [];
  private session: Session | undefined;
  private turn: Turn | undefined;

  /** `ready` gives the model, loading it if need be; `onBusy` is told when an answer begins and ends. */
  constructor(
    private readonly ready: () => Promise<CausalLM | undefined>,
    private readonly onBusy: (busy: boolean) => void,
  ) {}

  /** Whether there is anything that a reload would lose. */
  get begun(): boolean {
    return this.turn !== undefined || this.history.length > 0;
  }

  /** Asks; the answer appears in the log. Ignored while another answer is on its way. */
  async send(text: string): Promise<void> {
    if (this.turn || !text.trim()) return;
    hideError();
    const turn: Turn = { text, abort: new AbortController(), asked: question(text), answer: new Answer(), running: false };
    this.turn = turn;
    welcome.hidden = true;
    newChat.disabled = false;
    log.append(turn.asked, turn.answer.element);
    turn.answer.element.scrollIntoView({ block: "end" });
    this.onBusy(true);
    try {
      const lm = await this.model(turn);
      if (lm) await this.answer(turn, lm);
      else this.undo(turn);
    } catch (error) {
      this.failed(turn, error);
    } finally {
      if (this.turn === turn) {
        this.turn = undefined;
        this.onBusy(false);
      }
    }
  }

  /** Ends the answer that is on its way; what was written stays. */
  stop(): void {
    this.turn?.abort.abort();
  }

  /** Lets go of the model and its cache, which are about to go. A turn that still waits for a model goes on waiting. */
  release(): void {
    if (this.turn?.running) this.stop();
    const session = this.session;
    this.session = undefined;
    session?.dispose().catch(() => {}); // an engine that died or was disposed has taken it along
  }

  /** An empty conversation. */
  clear(): void {
    const busy = this.turn !== undefined;
    this.stop();
    this.release();
    this.turn = undefined;
    this.history = [];
    log.replaceChildren();
    welcome.hidden = false;
    newChat.disabled = true;
    hideError();
    if (busy) this.onBusy(false);
    if (state() === "answering" || state() === "ready") setStatus("ready", "Ready");
    announce("New chat");
    prompt.focus();
  }

  /** The model, or undefined if there is none to be had or the user stopped waiting. */
  private async model(turn: Turn): Promise<CausalLM | undefined> {
    const { signal } = turn.abort;
    const stopped = new Promise<undefined>((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
    const lm = await Promise.race([this.ready(), stopped]);
    return signal.aborted ? undefined : lm;
  }

  private async answer(turn: Turn, lm: CausalLM): Promise<void> {
    turn.running = true;
    setStatus("answering", "Reading your message");
    turn.answer.reading();
    const session = (this.session ??= lm.createSession());
    const messages: Message[] = [...this.history, { role: "user", content: turn.text }];
    const system = systemPrompt();
    if (system) messages.unshift({ role: "system", content: system });
    const run = session.generate(messages, { ...generateOptions(), signal: turn.abort.signal });
    for await (const token of run) {
      if (state() === "answering") setStatus("answering", token.kind === "reasoning" ? "Thinking" : "Answering");
      turn.answer.token(token);
    }
    const result = await run;
    if (this.turn !== turn) return; // the chat was cleared meanwhile
    const { text, reasoning } = result;
    if (result.finishReason === "aborted" && `${reasoning ?? ""}${text}`.trim() === "") return this.undo(turn);
    this.history.push({ role: "user", content: turn.text }, { role: "assistant", content: text, reasoning });
    this.finish(turn, result, session.length, lm.summary.contextLength);
  }

  private finish(turn: Turn, result: GenerationResult, used: number, limit: number): void {
    // The last token made is not in the cache yet, so a full context may count one less.
    const full = used + 1 >= limit;
    turn.answer.finish(result, used, limit, note(result, full, limit));
    // Another model may be on its way by now, and then that is what the page is doing.
    const ended = full ? "Context full: start a new chat" : result.finishReason === "aborted" ? "Stopped" : "Ready";
    if (state() === "answering") setStatus("ready", ended);
    announce(isShown("chat") ? `Answer: ${result.text}` : "The chat has answered");
  }

  private failed(turn: Turn, error: unknown): void {
    const wanted = isAbort(error) || turn.abort.signal.aborted;
    // The cache may be of an engine that died. The next turn sends the whole conversation anyway.
    this.release();
    if (this.turn !== turn) return;
    this.undo(turn);
    if (!wanted) showError(error, "Your message is back in the box below.");
  }

  /** Takes a turn back, as if it had not been sent: its text returns to the box, unless there is a new one. */
  private undo(turn: Turn): void {
    if (this.turn !== turn) return;
    turn.answer.cancel();
    turn.asked.remove();
    turn.answer.element.remove();
    if (!prompt.value.trim()) prompt.value = turn.text;
    if (this.history.length === 0) {
      welcome.hidden = false;
      newChat.disabled = true;
    }
    if (state() === "answering") setStatus("ready", "Ready");
  }
}

/** Why an answer ended where the user may wonder. */
function note(result: GenerationResult, full: boolean, limit: number): HTMLElement | undefined {
  const text = full
    ? `The conversation now fills the ${format.count(limit)} tokens this model can read. Start a new chat to go on.`
    : result.finishReason === "length"
      ? `Cut off after ${format.count(result.stats.generatedTokens)} tokens, the longest answer in Settings.`
      : result.finishReason === "aborted"
        ? "Stopped."
        : "";
  return text ? make("p", "note", text) : undefined;
}
