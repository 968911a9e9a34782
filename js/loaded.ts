// A language model in the host: its sessions, and what it is asked.

import { invalid } from "./errors.js";
import { finishGeneration, type OnTokens } from "./generating.js";
import type { Instance } from "./instance.js";
import type { Job } from "./jobs.js";
import { LoadedReader, type Takes } from "./loaded-base.js";
import type { Loaded, WireGeneration } from "./protocol.js";
import type { Message, TensorF32 } from "./types.js";
import type { LogitsRun, Model, Run, Session } from "./simd/azulejo.js";

/** Told before and after a chat template's work for a call. */
export type OnRendering = (job: Job, busy: boolean) => void;

export class LoadedModel extends LoadedReader<Model> {
  readonly #sessions = new Map<number, Session>();
  readonly #onRendering: OnRendering;

  constructor(instance: Instance, model: Model, onRendering: OnRendering) {
    super(instance, model);
    this.#onRendering = onRendering;
  }

  protected override free(): void {
    for (const session of this.#sessions.values()) this.instance.free(session);
    this.#sessions.clear();
    super.free();
  }

  override facts(): Loaded {
    return { ...super.facts(), defaults: this.instance.call(() => this.model.defaults()) };
  }

  /** How many there are. */
  get sessions(): number {
    return this.#sessions.size;
  }

  openSession(session: number): void {
    this.#sessions.set(
      session,
      this.instance.call(() => this.model.session()),
    );
  }

  disposeSession(job: Job, session: number): Promise<void> {
    return this.queue.run(job, async () => {
      this.instance.free(this.#sessions.get(session));
      this.#sessions.delete(session);
    });
  }

  async generate(job: Job, { session, prompt, options }: Takes<"generate">, onTokens: OnTokens): Promise<WireGeneration> {
    const { instance, queue } = this;
    const cache = session === undefined ? undefined : this.#session(session);
    const begin = () => {
      const ready = Array.isArray(prompt) ? this.#conversation(job, prompt) : prompt;
      return instance.call(() => (cache ?? this.model).generate(ready, options));
    };
    const result = await finishGeneration({ instance, queue }, job, begin, onTokens);
    return { result, ...(cache !== undefined && { sessionLength: instance.call(() => cache.length) }) };
  }

  logits(job: Job, { rows, last }: Takes<"logits">): Promise<TensorF32> {
    return this.finish(job, (model) => asRun(model.logits(rows, last)));
  }

  attentionMaps(job: Job, { prompt, layer }: Takes<"attentionMaps">): Promise<TensorF32> {
    return this.finish(job, (model) => model.attentionMaps(prompt, layer));
  }

  override applyChatTemplate(job: Job, { messages, addGenerationPrompt }: Takes<"applyChatTemplate">): string {
    this.#onRendering(job, true);
    try {
      return this.instance.call(() => this.model.applyChatTemplate(messages, addGenerationPrompt));
    } finally {
      this.#onRendering(job, false);
    }
  }

  /** A conversation's tokens; the template brings its own special ones. */
  #conversation(job: Job, messages: Message[]): Uint32Array {
    const text = this.applyChatTemplate(job, { messages, addGenerationPrompt: true });
    return this.encode({ text, addSpecial: false });
  }

  #session(id: number): Session {
    const session = this.#sessions.get(id);
    if (session === undefined) throw invalid("this session belongs to another model");
    return session;
  }
}

/** Its result is taken apart from its last step. */
function asRun(run: LogitsRun): Run<TensorF32> {
  const step = () => {
    const more = run.step();
    return more === false ? run.take() : more;
  };
  return { step, free: () => run.free() };
}
