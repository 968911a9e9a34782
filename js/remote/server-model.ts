// What models on any server have in common: what they answer is what their server can, and the rest is refused by name.

import type { CallOptions } from "../page/connection.js";
import type { Engine } from "../page/engine.js";
import type { Link, Model, ModelCall, TakesOf } from "../page/model.js";
import { throwIfAborted } from "../page/validate.js";
import { asError, AzulejoError, disposed } from "../shared/errors.js";
import type { Calls, Loaded } from "../shared/protocol.js";
import { runUntil, type Run } from "../shared/streams.js";
import type { ModelServer, ModelSummary } from "../shared/types.js";

/** How a server answers calls. */
export type Answers = { [K in ModelCall]?: (takes: TakesOf<K>, options: CallOptions) => Promise<Calls[K]["gives"]> };

/** What callers know these by. */
const CALLED: Partial<Record<ModelCall, string>> = {
  saveSession: "save",
  restoreSession: "restoreSession",
  truncateSession: "truncate",
  textAttentionMaps: "attentionMaps",
  imageAttentionMaps: "attentionMaps",
  imageAttention: "attention",
  imageFeatures: "features",
  imageLogits: "logits",
  textLogits: "logits",
  encode: "tokenizer.encode",
  decode: "tokenizer.decode",
  applyChatTemplate: "tokenizer.applyChatTemplate",
};

export class ServerModel implements Model {
  readonly id = 0;
  readonly loaded: Loaded;
  readonly server: ModelServer;
  readonly #answers: Answers;
  readonly #link: Link;
  readonly #runs = new Set<Run>();
  #disposed = false;

  /** `loaded`: all but the summary, which no server tells; `summary`: of the checkpoint that did not fit here. */
  constructor(server: ModelServer, answers: Answers, loaded: Omit<Loaded, "summary">, summary: ModelSummary | undefined) {
    this.server = server;
    this.#answers = answers;
    const refuse = () => this.#lacks("summary");
    this.loaded = Object.defineProperty(loaded, "summary", { get: () => summary ?? refuse() }) as Loaded;
    // Sessions speak to where they lie by themselves.
    this.#link = { call: (name, takes, options) => this.call(name as ModelCall, takes as never, options) as Promise<never> };
  }

  get engine(): Engine {
    return this.#lacks("engine");
  }

  async reach(signal?: AbortSignal): Promise<Link> {
    this.#check();
    throwIfAborted(signal);
    return this.#link;
  }

  async call<K extends ModelCall>(name: K, takes: TakesOf<K>, options: CallOptions = {}): Promise<Calls[K]["gives"]> {
    await this.reach(options.signal);
    const answer = this.#answers[name];
    if (answer === undefined) return this.#lacks(CALLED[name] ?? name);
    const run = runUntil(options.signal);
    this.#runs.add(run);
    try {
      const given = await answer(takes, { ...options, signal: run.signal });
      this.#check();
      return given;
    } catch (thrown) {
      // It was disposed of meanwhile: no abort of the caller's.
      this.#check();
      throw asError(thrown);
    } finally {
      this.#runs.delete(run);
      run.end();
    }
  }

  callAt<K extends ModelCall>(_: Link, name: K, takes: TakesOf<K>, options?: CallOptions): Promise<Calls[K]["gives"]> {
    return this.call(name, takes, options);
  }

  async adapted(): Promise<Model> {
    return this.#lacks("withAdapter");
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const run of this.#runs) run.end();
  }

  #check(): void {
    if (this.#disposed) throw disposed("the model");
  }

  #lacks(what: string): never {
    const { url, software } = this.server;
    throw new AzulejoError("unsupported-model", `${what}: the model is on a server (${software} at ${url}), which has no such thing`);
  }
}
