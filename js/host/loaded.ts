// A language model in the host: its sessions, and what it is asked.

import { invalid, type AzulejoError } from "../shared/errors.js";
import { Queue, type Job } from "../shared/jobs.js";
import { nothingMade, type Assets, type Loaded, type WireChat, type WireGeneration } from "../shared/protocol.js";
import { keepSession } from "../shared/store/kept-sessions.js";
import type { GeneratedToken, GenerationResult, TensorF32 } from "../shared/types.js";
import type { LoraLoader, Model, Session } from "../simd/azulejo.js";
import type { OpenFile } from "./files/open-file.js";
import type { Answer } from "./answer/answer.js";
import { Answers } from "./answer/answers.js";
import type { Constraint } from "./grammars.js";
import { Grammars } from "./grammars.js";
import type { Instance } from "./instance.js";
import { Generations, type OnTokens } from "./generating.js";
import { LoadedReader, type Takes } from "./loaded-base.js";

/** A session, and the queue of those who speak in it. */
interface OpenSession {
  cache: Session;
  turns: Queue;
}

export class LoadedModel extends LoadedReader<Model> {
  readonly #sessions = new Map<number, OpenSession>();
  readonly #generations: Generations;
  readonly #grammars: Grammars;
  readonly #answers = new Answers(this.instance, this.model);

  /** `base`: the model that this is with an adapter. They compute by turns. */
  constructor(instance: Instance, model: Model, assets: Assets, base?: LoadedModel) {
    super(instance, model, base?.queue);
    this.#generations = base === undefined ? new Generations(instance, this.queue, model) : base.#generations;
    this.#generations.join(model);
    this.#grammars = new Grammars(assets.grammar, instance, model);
  }

  protected override free(): void {
    this.#generations.leave(this.model);
    this.#grammars.free();
    for (const { cache } of this.#sessions.values()) this.instance.free(cache);
    this.#sessions.clear();
    super.free();
  }

  override facts(): Loaded {
    return { ...super.facts(), defaults: this.instance.call(() => this.model.defaults()) };
  }

  /** An adapter's file, to be read for this model. */
  beginAdapter({ name, size }: OpenFile, config: string | undefined, scale: number): LoraLoader {
    return this.instance.call(({ LoraLoader }) => new LoraLoader(this.model, scale, config, name, size));
  }

  /** This model with what has been read. */
  finishAdapter(job: Job, loader: LoraLoader): Promise<Model> {
    return this.queue.run(job, () => this.instance.finish(job, () => loader.finish()));
  }

  /** How many there are. */
  get sessions(): number {
    return this.#sessions.size;
  }

  openSession(session: number): void {
    const cache = this.instance.call(() => this.model.session());
    this.#sessions.set(session, { cache, turns: new Queue() });
  }

  disposeSession(job: Job, session: number): Promise<void> {
    return this.queue.run(job, async () => {
      this.instance.free(this.#sessions.get(session)?.cache);
      this.#sessions.delete(session);
    });
  }

  saveSession(job: Job, { session, name }: Takes<"saveSession">): Promise<{ data?: Uint8Array }> {
    const { cache, turns } = this.#session(session);
    return turns.run(job, async () => {
      const data = await this.finish(job, () => cache.save());
      if (name === undefined) return { data };
      await keepSession(name, data, this.instance.call(() => cache.length));
      return {};
    });
  }

  async restoreSession(job: Job, { session, saved }: Takes<"restoreSession">): Promise<number> {
    // It is the model's at once, which may be disposed of meanwhile.
    this.openSession(session);
    const { cache } = this.#session(session);
    try {
      return await this.finish(job, () => cache.restore(saved));
    } catch (error) {
      if (this.#sessions.delete(session)) this.instance.free(cache);
      throw error;
    }
  }

  cloneSession(job: Job, { session, of }: Takes<"cloneSession">): Promise<number> {
    return this.#between(job, of, (cache) => {
      const copy = cache.copy();
      this.#sessions.set(session, { cache: copy, turns: new Queue() });
      return copy.length;
    });
  }

  truncateSession(job: Job, { session, length }: Takes<"truncateSession">): Promise<number> {
    return this.#between(job, session, (cache) => cache.truncate(length));
  }

  /** Does something with a session when nobody speaks in it, and no pass is under way. */
  #between<T>(job: Job, session: number, work: (cache: Session) => T): Promise<T> {
    const { cache, turns } = this.#session(session);
    return turns.run(job, () => this.queue.run(job, async () => this.instance.call(() => work(cache))));
  }

  async generate(job: Job, takes: Takes<"generate">, onTokens: OnTokens): Promise<WireGeneration> {
    const { constraint: asked, answer: { forced } = {} } = takes.options;
    let wanted = asked;
    if (forced !== undefined) {
      const prompt = this.#answers.without(takes.prompt as WireChat);
      wanted = this.#answers.forced(this.#tokens(job, prompt), forced);
      takes = { ...takes, prompt };
    }
    if (wanted === undefined) return this.#generate(job, takes, onTokens);
    // Whoever has aborted meanwhile leaves where all do.
    const grammars = await job.orAbort(this.#grammars.load()).catch((error: AzulejoError) => {
      if (!job.aborted) throw error;
    });
    if (grammars === undefined) return this.#generate(job, takes, onTokens);
    const open = () => this.#grammars.open(grammars, wanted);
    const constraint = this.instance.stranger(job.id, "grammar", wanted.text.length, open);
    try {
      return await this.#generate(job, takes, onTokens, constraint);
    } finally {
      constraint.free();
    }
  }

  async #generate(
    job: Job,
    { session, prompt, options: { constraint: _, answer: asked, ...options } }: Takes<"generate">,
    onTokens: OnTokens,
    constraint?: Constraint,
  ): Promise<WireGeneration> {
    const { instance } = this;
    let answer: Answer | undefined;
    const begin = (of: Model | Session) => () => {
      const ready = typeof prompt === "string" || prompt instanceof Uint32Array ? prompt : this.#tokens(job, prompt);
      if (asked !== undefined) answer = this.#answers.begin(ready as Uint32Array, prompt as WireChat, asked.tools);
      const work = () => of.generate(ready, options, constraint);
      return typeof ready === "string" ? instance.stranger(job.id, "tokenizer", ready.length, work) : instance.call(work);
    };
    const tell = (tokens: GeneratedToken[]) => onTokens(answer === undefined ? tokens : answer.take(tokens));
    const whole = (result: GenerationResult) => (answer === undefined ? result : answer.finish(result, onTokens));
    if (session === undefined) return { result: whole(await this.#generations.finish(job, begin(this.model), tell)) };
    const { cache, turns } = this.#session(session);
    const result = await turns.runOr(job, () => this.#generations.finish(job, begin(cache), tell), nothingMade);
    return { result: whole(result), sessionLength: instance.call(() => cache.length) };
  }

  logits(job: Job, { rows, last }: Takes<"logits">): Promise<TensorF32> {
    return this.finish(job, (model) => model.logits(rows, last));
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

  #session(id: number): OpenSession {
    const session = this.#sessions.get(id);
    if (session === undefined) throw invalid("this session belongs to another model");
    return session;
  }
}
