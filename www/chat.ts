// The conversation: one turn at a time, streamed, with the model's cache kept between turns.

import type { CausalLM, GenerationResult, Message, Session } from "./azulejo/index.js";
import { keep, newId, type Called, type Conversation, type Said } from "./conversations.js";
import { announce, byId, make } from "./dom.js";
import { hideError, isAbort, showError } from "./errors.js";
import * as format from "./format.js";
import { Answer, factsOf, question, type AnswerActions } from "./messages.js";
import { generateOptions, systemPrompt, toolChoice } from "./settings.js";
import { setStatus, state } from "./status.js";
import { call, tools } from "./toolbox.js";
import { isShown } from "./views.js";

const log = byId("log", HTMLElement);
const welcome = byId("welcome", HTMLElement);
const prompt = byId("prompt", HTMLTextAreaElement);
const newChat = byId("new-chat", HTMLButtonElement);
const save = byId("export", HTMLButtonElement);

/** So often may the model call tools before it has to answer. */
const MOST_ROUNDS = 4;
/** Tokens: of shorter answers no speed is told. */
const ENOUGH = 8;

/** A question with its answer, as it stands on the page. */
interface Exchange {
  asked: HTMLElement;
  answer: Answer;
  said: Said;
}

/** A question that is being answered. */
interface Turn {
  exchange: Exchange;
  abort: AbortController;
  /** Whether it goes on with an answer that was cut off. */
  onward: boolean;
  /** Whether the model is at work on it; before, it waits for a model. */
  running: boolean;
}

/** What the chat asks of the page. */
interface Surroundings {
  /** The model, loading it if need be. */
  ready(): Promise<CausalLM | undefined>;
  /** An answer begins or ends. */
  onBusy(busy: boolean): void;
  /** What is kept has changed. */
  onKept(): void;
  /** A model wrote so fast. */
  onMeasured(tokensPerSecond: number): void;
}

export class Chat {
  private id = newId();
  /** What was said and answered. */
  private exchanges: Exchange[] = [];
  private session: Session | undefined;
  private turn: Turn | undefined;
  /** The question that is in the box to be asked anew. */
  private edited: Exchange | undefined;

  constructor(private readonly around: Surroundings) {}

  /** Whether an answer is on its way. */
  get busy(): boolean {
    return this.turn !== undefined;
  }

  /** What the conversation is kept as. */
  get name(): string {
    return this.id;
  }

  /** The conversation so far. */
  get said(): Said[] {
    return this.exchanges.map(({ said }) => said);
  }

  /** Asks; the answer appears in the log. Ignored while another answer is on its way. */
  async send(text: string): Promise<void> {
    if (this.turn || !text.trim()) return;
    if (this.edited) this.cutFrom(this.edited);
    const exchange = this.exchange({ question: text, answer: "", finish: "stop", facts: [] }, (actions) => new Answer(actions));
    log.append(exchange.asked, exchange.answer.element);
    exchange.answer.element.scrollIntoView({ block: "end" });
    await this.take({ exchange, abort: new AbortController(), onward: false, running: false });
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

  /** An empty conversation; the one before is kept. */
  clear(): void {
    this.empty();
    if (state() === "answering" || state() === "ready") setStatus("ready", "Ready");
    announce("New chat");
    prompt.focus();
  }

  /** Another conversation in place of this one. */
  open({ id, said }: Conversation): void {
    this.empty();
    this.id = id;
    for (const each of said) {
      const exchange = this.exchange(each, (actions) => Answer.of(each, actions));
      this.exchanges.push(exchange);
      log.append(exchange.asked, exchange.answer.element);
    }
    this.showBegun();
  }

  /** Gives up asking a question anew. */
  stopEditing(): void {
    if (!this.edited) return;
    this.mark(undefined);
    prompt.value = "";
    announce("The conversation stays as it is");
  }

  private exchange(said: Said, answer: (actions: AnswerActions) => Answer): Exchange {
    const entry: Exchange = {
      said,
      asked: question(said.question, () => this.edit(entry)),
      answer: answer({ again: () => void this.again(entry), goOn: () => void this.goOn(entry) }),
    };
    return entry;
  }

  /** The same question once more; what followed it goes. */
  private async again(exchange: Exchange): Promise<void> {
    if (this.turn) return;
    this.cutFrom(exchange);
    await this.send(exchange.said.question);
  }

  /** The model goes on with an answer that was cut off. */
  private async goOn(exchange: Exchange): Promise<void> {
    if (this.turn || this.exchanges.at(-1) !== exchange) return;
    this.exchanges.pop();
    exchange.answer.reopen();
    await this.take({ exchange, abort: new AbortController(), onward: true, running: false });
  }

  /** Puts a question back into the box; sending it replaces what follows. */
  private edit(exchange: Exchange): void {
    if (this.turn || !this.exchanges.includes(exchange)) return;
    this.mark(exchange);
    prompt.value = exchange.said.question;
    prompt.dispatchEvent(new Event("input"));
    prompt.focus();
    announce("Editing: sending replaces what follows, Escape gives it up");
  }

  /** Shows which messages an edited question will replace. */
  private mark(edited: Exchange | undefined): void {
    this.edited = edited;
    const from = edited ? this.exchanges.indexOf(edited) : Infinity;
    for (const [at, { asked, answer }] of this.exchanges.entries())
      for (const element of [asked, answer.element]) element.classList.toggle("replaced", at >= from);
  }

  /** Takes an exchange and all that follow off the page. */
  private cutFrom(exchange: Exchange): void {
    this.mark(undefined);
    const at = this.exchanges.indexOf(exchange);
    if (at < 0) return;
    for (const { asked, answer } of this.exchanges.splice(at)) for (const element of [asked, answer.element]) element.remove();
  }

  private empty(): void {
    const { busy } = this;
    this.stop();
    this.release();
    this.turn = undefined;
    this.edited = undefined;
    this.exchanges = [];
    this.id = newId();
    log.replaceChildren();
    this.showBegun();
    hideError();
    if (busy) this.around.onBusy(false);
  }

  private showBegun(): void {
    const begun = this.exchanges.length > 0 || this.busy;
    welcome.hidden = begun;
    newChat.disabled = !begun;
    save.hidden = this.exchanges.length === 0;
  }

  /** Sees a turn through. */
  private async take(turn: Turn): Promise<void> {
    hideError();
    this.turn = turn;
    this.showBegun();
    this.around.onBusy(true);
    try {
      const lm = await this.model(turn);
      if (lm) await this.answer(turn, lm);
      else this.undo(turn);
    } catch (error) {
      this.failed(turn, error);
    } finally {
      if (this.turn === turn) {
        this.turn = undefined;
        this.showBegun();
        this.around.onBusy(false);
      }
    }
  }

  /** The model, or undefined if there is none to be had or the user stopped waiting. */
  private async model(turn: Turn): Promise<CausalLM | undefined> {
    const { signal } = turn.abort;
    const stopped = new Promise<undefined>((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
    const lm = await Promise.race([this.around.ready(), stopped]);
    return signal.aborted ? undefined : lm;
  }

  private async answer(turn: Turn, lm: CausalLM): Promise<void> {
    turn.running = true;
    setStatus("answering", "Reading your message");
    const { answer, said } = turn.exchange;
    answer.reading();
    const session = (this.session ??= lm.createSession());
    const result = await this.generated(turn, session);
    if (this.turn !== turn) return; // the chat was cleared meanwhile
    const reasoning = (said.reasoning ?? "") + (result.reasoning ?? "") || undefined;
    const text = said.answer + result.text;
    if (result.finishReason === "aborted" && `${reasoning ?? ""}${text}`.trim() === "") return this.undo(turn);
    const facts = factsOf(result, session.length, lm.summary.contextLength);
    turn.exchange.said = { ...turn.exchange.said, answer: text, reasoning, finish: result.finishReason, facts };
    this.finish(turn, result, session.length, lm.summary.contextLength);
  }

  /** What the model says to the conversation, and to the tools that it calls on the way. */
  private async generated(turn: Turn, session: Session): Promise<GenerationResult> {
    const { exchange, abort: { signal } } = turn;
    const choice = turn.onward ? "off" : toolChoice();
    const onward = turn.onward && { continueFinalMessage: true };
    for (let round = 0; ; round++) {
      const offered = choice !== "off" && round < MOST_ROUNDS && { tools, toolChoice: round === 0 ? choice : "auto" as const };
      const run = session.generate(this.messages(turn), { ...generateOptions(), ...onward, ...offered, signal });
      for await (const token of run) {
        if (state() === "answering") setStatus("answering", token.kind === "reasoning" ? "Thinking" : "Answering");
        exchange.answer.token(token);
      }
      const result = await run;
      if (result.toolCalls === undefined || result.toolCalls.length === 0 || !offered || this.turn !== turn) return result;
      const called = result.toolCalls.map(({ id, name, arguments: given }, at): Called =>
        ({ id: id ?? `call-${round}-${at}`, name, given, result: call(name, given) }));
      exchange.said = { ...exchange.said, called: [...(exchange.said.called ?? []), ...called] };
      for (const each of called) exchange.answer.called(each);
    }
  }

  /** The conversation as the model is told of it. */
  private messages({ exchange: { said }, onward }: Turn): Message[] {
    const system = systemPrompt();
    return [
      ...(system ? [{ role: "system" as const, content: system }] : []),
      ...this.said.flatMap((each): Message[] =>
        [...asked(each), { role: "assistant", content: each.answer, ...(each.reasoning !== undefined && { reasoning: each.reasoning }) }]),
      ...asked(said),
      ...(onward ? [{ role: "assistant" as const, content: said.answer }] : []),
    ];
  }

  private finish({ exchange }: Turn, result: GenerationResult, used: number, limit: number): void {
    this.exchanges.push(exchange);
    keep(this.id, this.said);
    this.around.onKept();
    if (result.stats.generatedTokens > ENOUGH) this.around.onMeasured(result.stats.tokensPerSecond);
    // The last token made is not in the cache yet, so a full context may count one less.
    const full = used + 1 >= limit;
    exchange.answer.finish(exchange.said, note(result, full, limit));
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
    if (!wanted) showError(error, turn.onward ? "" : "Your message is back in the box below.");
  }

  /**
   * Takes a turn back, as if it had not been sent: its text returns to the box, unless there is a new one. An answer that was
   * gone on with stays, as far as it came.
   */
  private undo(turn: Turn): void {
    if (this.turn !== turn) return;
    const { asked, answer, said } = turn.exchange;
    if (turn.onward) {
      turn.exchange.said = { ...said, answer: answer.written };
      this.exchanges.push(turn.exchange);
      answer.finish(turn.exchange.said);
    } else {
      answer.cancel();
      asked.remove();
      answer.element.remove();
      if (!prompt.value.trim()) prompt.value = said.question;
    }
    if (state() === "answering") setStatus("ready", "Ready");
  }
}

/** A question, and what tools said to the model before it answered. */
function asked({ question, called = [] }: Said): Message[] {
  return [
    { role: "user", content: question },
    ...called.flatMap(({ id, name, given, result }): Message[] => [
      { role: "assistant", content: "", toolCalls: [{ id, name, arguments: given }] },
      { role: "tool", name, toolCallId: id, content: result },
    ]),
  ];
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
