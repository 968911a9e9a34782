// A language model in the host: its sessions, and what it is asked.

import { invalid } from "../shared/errors.js";
import type { Job } from "../shared/jobs.js";
import type { Loaded, WireChat, WireGeneration } from "../shared/protocol.js";
import type { TensorF32 } from "../shared/types.js";
import type { LogitsRun, Model, Run, Session } from "../simd/azulejo.js";
import { finishGeneration, type OnTokens } from "./generating.js";
import { LoadedReader, type Takes } from "./loaded-base.js";

export class LoadedModel extends LoadedReader<Model> {
  readonly #sessions = new Map<number, Session>();

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
      const ready = typeof prompt === "string" || prompt instanceof Uint32Array ? prompt : this.#tokens(job, prompt);
      const work = () => (cache ?? this.model).generate(ready, options);
      return typeof ready === "string" ? instance.stranger(job.id, "tokenizer", ready.length, work) : instance.call(work);
    };
    const result = await finishGeneration({ instance, queue }, job, begin, onTokens);
    return { result, ...(cache !== undefined && { sessionLength: instance.call(() => cache.length) }) };
  }

  logits(job: Job, { rows, last }: Takes<"logits">): Promise<TensorF32> {
    return this.finish(job, (model) => asRun(model.logits(rows, last)));
  }

  attentionMaps(job: Job, { prompt, layer }: Takes<"attentionMaps">): Promise<TensorF32> {
    return this.finish(job, (model) => model.attentionMaps(prompt, layer), { texts: [prompt] });
  }

  override applyChatTemplate(job: Job, { chat }: Takes<"applyChatTemplate">): string {
    return this.instance.stranger(job.id, "chat template", chat.length, () => this.model.applyChatTemplate(chat));
  }

  /** A conversation's tokens; the template brings its own special ones. */
  #tokens(job: Job, { chat }: WireChat): Uint32Array {
    return this.instance.stranger(job.id, "chat template", chat.length, () => this.model.encodeChat(chat));
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
