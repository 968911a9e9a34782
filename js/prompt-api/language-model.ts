// The LanguageModel of the Prompt API, over a model in the page.

import type { CausalLM } from "../page/causal-lm.js";
import { AzulejoError } from "../shared/errors.js";
import { pushedStreamOf, runUntil } from "../shared/streams.js";
import type { GenerateOptions, Message, Session } from "../shared/types.js";
import { constraintOf, hasPrefix, isSupported, listOf, messagesOf, notSupported, samplingOf } from "./read.js";
import type { AppendOptions, Availability, CoreOptions, CreateOptions, ModelSourceOf, PromptInput, PromptMessage, PromptOptions } from "./types.js";

/** A session of the API's. */
export interface PromptSession extends EventTarget {
  /** The whole answer. Error: QuotaExceededError where the input has no room in the context. */
  prompt(input: PromptInput, options?: PromptOptions): Promise<string>;
  /** The answer in pieces. Cancelling it ends the answer. */
  promptStreaming(input: PromptInput, options?: PromptOptions): ReadableStream<string>;
  /** Has messages be in the context without an answer. */
  append(input: PromptInput, options?: AppendOptions): Promise<undefined>;
  /** Tokens that an input would take. */
  measureContextUsage(input: PromptInput, options?: PromptOptions): Promise<number>;
  /** Tokens of what was said. */
  readonly contextUsage: number;
  /** Tokens that there is room for. */
  readonly contextWindow: number;
  /** Older messages had to go for new ones. */
  oncontextoverflow: ((event: Event) => void) | null;
  /** Another session that goes on from here. */
  clone(options?: AppendOptions): Promise<PromptSession>;
  /** Ends what it answers, with AbortError, and frees its cache. */
  destroy(): void;
  /** What Chrome 138 to 147 called `contextUsage`, `contextWindow` and `measureContextUsage`. */
  readonly inputUsage: number;
  /** See `inputUsage`. */
  readonly inputQuota: number;
  /** See `inputUsage`. */
  measureInputUsage(input: PromptInput, options?: PromptOptions): Promise<number>;
  /** What Chrome 138 to 147 called `oncontextoverflow`. */
  onquotaoverflow: ((event: Event) => void) | null;
}

/** The class that Chrome calls `LanguageModel`. */
export interface LanguageModelClass {
  /** Refused with a TypeError, as the platform's own class does: `create` makes sessions. */
  new (): never;
  /** Of its sessions. */
  readonly prototype: PromptSession;
  /** "unavailable" where what is asked for is not supported; else how far the model has come. */
  availability(options?: CoreOptions): Promise<Availability>;
  /**
   * A session; the first one loads the model. Errors: NotSupportedError, TypeError, RangeError and QuotaExceededError as
   * the
   * specification has them, and what the load rejects with.
   */
  create(options?: CreateOptions): Promise<PromptSession>;
}

/** What the class is made of, which nobody else can make sessions with. */
const MAKE = Symbol("a session");

/**
 * The Prompt API's `LanguageModel`: `globalThis.LanguageModel ??= promptApi((report) => CausalLM.load(…))`. The model is loaded when
 * the first session is created, and shared by all.
 */
export function promptApi(source: ModelSourceOf): LanguageModelClass {
  const shared = new SharedModel(source);

  class LanguageModel extends PromptSessionBase {
    static async availability(options: CoreOptions = {}): Promise<Availability> {
      return isSupported(options) ? shared.availability : "unavailable";
    }

    static async create(options: CreateOptions = {}): Promise<PromptSession> {
      const { signal, monitor, initialPrompts = [] } = options;
      signal?.throwIfAborted();
      const sampling = samplingOf(options);
      if (!isSupported(options)) throw notSupported("only texts go in and come out, without tools");
      const initial = messagesOf(listOf(initialPrompts), true);
      const lm = await orAbort(shared.load(monitor, signal), signal);
      const usage = await usageOf(lm, initial);
      signal?.throwIfAborted();
      if (usage > lm.summary.contextLength) throw quotaExceeded(usage, lm.summary.contextLength);
      const session = new LanguageModel(MAKE, { lm, kept: lm.createSession(), sampling, initial, said: [], usage });
      signal?.addEventListener("abort", () => session.end(signal.reason), { once: true });
      return session;
    }

    protected override another(state: State): PromptSession {
      return new LanguageModel(MAKE, state);
    }
  }
  return LanguageModel as unknown as LanguageModelClass;
}

/** The one model of a class. */
class SharedModel {
  readonly #source: ModelSourceOf;
  #loading?: Promise<CausalLM> | undefined;
  #isThere: boolean;
  #share = 0;
  readonly #heard = new Set<(share: number) => void>();

  constructor(source: ModelSourceOf) {
    this.#source = source;
    this.#isThere = typeof source !== "function";
  }

  get availability(): Availability {
    return this.#isThere ? "available" : this.#loading === undefined ? "downloadable" : "downloading";
  }

  /** Tells `monitor` of 0, what comes between, and 1. */
  async load(monitor: CreateOptions["monitor"], signal: AbortSignal | undefined): Promise<CausalLM> {
    const target = new EventTarget();
    monitor?.(target);
    let last = -1;
    const tell = (share: number) => {
      // As the specification rounds it.
      const loaded = Math.floor(share * 0x10000) / 0x10000;
      // A share of what nobody knows the size of is no number.
      if (!(loaded > last) || signal?.aborted) return;
      last = loaded;
      target.dispatchEvent(progressEvent(loaded));
    };
    this.#heard.add(tell);
    try {
      tell(0);
      tell(this.#share);
      const lm = await orAbort(this.#model(), signal);
      tell(1);
      return lm;
    } finally {
      this.#heard.delete(tell);
    }
  }

  #model(): Promise<CausalLM> {
    if (typeof this.#source !== "function") return Promise.resolve(this.#source);
    this.#loading ??= this.#source((share) => {
      this.#share = Math.min(share, 1);
      for (const tell of this.#heard) tell(this.#share);
    }).then(
      (lm) => {
        this.#isThere = true;
        return lm;
      },
      (error) => {
        this.#loading = undefined;
        throw error;
      },
    );
    return this.#loading;
  }
}

/** `ProgressEvent` is not everywhere. */
function progressEvent(loaded: number): Event {
  return Object.assign(new Event("downloadprogress"), { loaded, total: 1, lengthComputable: true });
}

interface State {
  lm: CausalLM;
  kept: Session;
  sampling: GenerateOptions;
  /** What never leaves the context. */
  readonly initial: readonly Message[];
  /** What was said since; replaced, never changed. */
  said: readonly Message[];
  usage: number;
}

abstract class PromptSessionBase extends EventTarget implements PromptSession {
  readonly #state: State;
  /** One after the other. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #end = new AbortController();
  oncontextoverflow: ((event: Event) => void) | null = null;
  onquotaoverflow: ((event: Event) => void) | null = null;

  constructor(key: typeof MAKE, state: State) {
    if (key !== MAKE) throw new TypeError("Illegal constructor");
    super();
    this.#state = state;
    this.addEventListener("contextoverflow", (event) => this.oncontextoverflow?.(event));
    this.addEventListener("quotaoverflow", (event) => this.onquotaoverflow?.(event));
  }

  protected abstract another(state: State): PromptSession;

  get contextUsage(): number {
    return this.#state.usage;
  }

  get contextWindow(): number {
    return this.#state.lm.summary.contextLength;
  }

  get inputUsage(): number {
    return this.contextUsage;
  }

  get inputQuota(): number {
    return this.contextWindow;
  }

  measureInputUsage(input: PromptInput, options?: PromptOptions): Promise<number> {
    return this.measureContextUsage(input, options);
  }

  async prompt(input: PromptInput, options: PromptOptions = {}): Promise<string> {
    let text = "";
    for await (const piece of this.#answer(input, options)) text += piece;
    return text;
  }

  promptStreaming(input: PromptInput, options: PromptOptions = {}): ReadableStream<string> {
    options.signal?.throwIfAborted();
    const run = runUntil(options.signal);
    return pushedStreamOf(this.#answer(input, { ...options, signal: run.signal }), run);
  }

  append(input: PromptInput, { signal }: AppendOptions = {}): Promise<undefined> {
    const given = listOf(input);
    return this.#inTurn(signal, async (signal) => {
      await this.#add(this.#read(given), signal);
      return undefined;
    });
  }

  measureContextUsage(input: PromptInput, { signal, ...options }: PromptOptions = {}): Promise<number> {
    const given = listOf(input);
    return this.#inTurn(signal, async () => {
      const { told } = constraintOf(options, false);
      const messages = [...this.#messages, ...withTold(this.#read(given, true), told)];
      return (await usageOf(this.#state.lm, messages)) - this.#state.usage;
    });
  }

  clone({ signal }: AppendOptions = {}): Promise<PromptSession> {
    return this.#inTurn(signal, async () => {
      const kept = await this.#state.kept.clone();
      return this.another({ ...this.#state, kept });
    });
  }

  destroy(): void {
    this.end(new DOMException("the session has been destroyed", "AbortError"));
  }

  end(reason: unknown): void {
    this.#end.abort(reason);
    void this.#state.kept.dispose();
  }

  get #messages(): Message[] {
    return [...this.#state.initial, ...this.#state.said];
  }

  /** `anywhere`: system messages too, as they are only measured. */
  #read(given: PromptMessage[], anywhere = false): Message[] {
    return messagesOf(given, anywhere || this.#messages.length === 0);
  }

  /** Waits for what is under way. Whoever is aborted, or the session's end, ends it with their reason. */
  async #inTurn<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const either = AbortSignal.any([this.#end.signal, ...(signal === undefined ? [] : [signal])]);
    either.throwIfAborted();
    const turn = this.#last.then(() => {
      either.throwIfAborted();
      return work(either);
    });
    this.#last = turn.catch(() => {});
    return orAbort(turn, either);
  }

  async *#answer(input: PromptInput, { signal, ...options }: PromptOptions): AsyncGenerator<string> {
    const given = listOf(input);
    const prefix = hasPrefix(given);
    const { options: constraint, told } = constraintOf(options, prefix);
    let next = () => {};
    const turn = this.#last;
    // Who is called off while they wait lets nobody past those before them.
    this.#last = Promise.all([turn, new Promise<void>((resolve) => (next = resolve))]);
    const either = AbortSignal.any([this.#end.signal, ...(signal === undefined ? [] : [signal])]);
    try {
      await orAbort(turn, either);
      yield* this.#generate(withTold(this.#read(given), told), { ...constraint, ...(prefix && { continueFinalMessage: true }) }, either);
    } finally {
      next();
    }
  }

  async *#generate(given: Message[], options: GenerateOptions, signal: AbortSignal): AsyncGenerator<string> {
    const state = this.#state;
    const { said, usage } = state;
    let isWhole = false;
    try {
      // The platform answers to nothing, too.
      await this.#add(given.length === 0 ? [{ role: "user", content: "" }] : given, signal, { asked: true });
      const generation = state.kept.generate(this.#messages, { ...state.sampling, ...options, signal });
      for await (const { text, kind = "text" } of translated(generation)) if (text !== "" && kind === "text") yield text;
      const { text } = await generation;
      signal.throwIfAborted();
      const begun = options.continueFinalMessage ? state.said.at(-1)!.content : "";
      const before = options.continueFinalMessage ? state.said.slice(0, -1) : state.said;
      const answered: readonly Message[] = [...before, { role: "assistant", content: `${begun as string}${text}` }];
      state.usage = await usageOf(state.lm, [...state.initial, ...answered]);
      state.said = answered;
      isWhole = true;
    } finally {
      // A question without its answer was never said.
      if (!isWhole) Object.assign(state, { said, usage });
    }
  }

  /** Has messages be said, and lets older ones go where there is no room. Error: QuotaExceededError where there is none. */
  async #add(messages: Message[], signal: AbortSignal, { asked = false } = {}): Promise<void> {
    const state = this.#state;
    const { lm, initial } = state;
    const alone = await usageOf(lm, [...initial, ...messages]);
    // An answer's beginning, and a token of it.
    const room = asked ? (await usageOf(lm, [...initial, ...messages], true)) - alone + 1 : 0;
    if (alone + room > this.contextWindow) throw quotaExceeded(alone - (await usageOf(lm, initial)), this.contextWindow);
    let said = state.said;
    let usage = await usageOf(lm, [...initial, ...said, ...messages]);
    while (usage + room > this.contextWindow && said.length > 0) {
      // A question with its answers.
      const next = said.findIndex(({ role }, at) => at > 0 && role === "user");
      said = said.slice(next < 0 ? said.length : next);
      usage = await usageOf(lm, [...initial, ...said, ...messages]);
    }
    signal.throwIfAborted();
    const overflows = said.length < state.said.length;
    Object.assign(state, { said: [...said, ...messages], usage });
    if (overflows) for (const name of ["contextoverflow", "quotaoverflow"]) this.dispatchEvent(new Event(name));
  }
}

/** What the model is told of the answer's form stands at the end of the last message. */
function withTold(messages: Message[], told: string): Message[] {
  const last = messages.at(-1);
  if (told === "" || last === undefined || last.role !== "user") return messages;
  return [...messages.slice(0, -1), { ...last, content: `${last.content as string}${told}` }];
}

/** Tokens of a conversation, as the model's template writes it. `begun`: with the beginning of an answer. */
async function usageOf({ tokenizer }: CausalLM, messages: readonly Message[], begun = false): Promise<number> {
  if (messages.length === 0) return 0;
  const written = (all: readonly Message[]) => tokenizer.applyChatTemplate([...all], { addGenerationPrompt: begun, allowSpecial: true });
  const text = await written(messages).catch((error: unknown) => {
    // Some templates want a question.
    if (messages.some(({ role }) => role === "user")) throw error;
    return written([...messages, { role: "user", content: "" }]);
  });
  return (await tokenizer.encode(text, { addSpecial: false })).length;
}

/** What is refused here, as the platform says it. */
async function* translated<T>(tokens: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* tokens;
  } catch (error) {
    if (error instanceof AzulejoError && error.code === "invalid-argument") throw notSupported(error.message);
    throw error;
  }
}

function quotaExceeded(requested: number, quota: number): DOMException {
  const message = `${requested} tokens, and the context has ${quota}`;
  const Own = (globalThis as { QuotaExceededError?: new (message: string, given: object) => DOMException }).QuotaExceededError;
  if (Own !== undefined) return new Own(message, { requested, quota });
  return Object.assign(new DOMException(message, "QuotaExceededError"), { requested, quota });
}

/** `promise`, or the abort's reason if that comes first. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  promise.catch(() => {});
  return new Promise<T>((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
