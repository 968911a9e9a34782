// A model in the host: its queue, its sessions, and the loops that step its work.

import type { AzulejoError } from "./errors.js";
import { invalid } from "./errors.js";
import type { Instance } from "./instance.js";
import { Queue, type Job } from "./jobs.js";
import { nextTurn } from "./platform.js";
import { nothingMade, type Calls, type WireGeneration } from "./protocol.js";
import type { GeneratedToken, GenerationResult, Message, TensorF32 } from "./types.js";
import type { GenerationRun, Model, Session } from "./simd/azulejo.js";

type Takes<K extends keyof Calls> = Calls[K]["takes"];

/** Told before and after a chat template's work for a call. */
export type OnRendering = (job: Job, busy: boolean) => void;

export class LoadedModel {
  readonly #instance: Instance;
  readonly #model: Model;
  readonly #queue = new Queue();
  readonly #sessions = new Map<number, Session>();
  readonly #onRendering: OnRendering;

  constructor(instance: Instance, model: Model, onRendering: OnRendering) {
    this.#instance = instance;
    this.#model = model;
    this.#onRendering = onRendering;
  }

  /** Waits for what runs; the caller has aborted it. */
  dispose(job: Job): Promise<void> {
    return this.#queue.run(job, async () => {
      for (const session of this.#sessions.values()) this.#instance.free(session);
      this.#sessions.clear();
      this.#instance.free(this.#model);
    });
  }

  openSession(session: number): void {
    this.#sessions.set(
      session,
      this.#instance.call(() => this.#model.session()),
    );
  }

  disposeSession(job: Job, session: number): Promise<void> {
    return this.#queue.run(job, async () => {
      this.#instance.free(this.#sessions.get(session));
      this.#sessions.delete(session);
    });
  }

  async generate(
    job: Job,
    { session, prompt, options }: Takes<"generate">,
    onTokens: (tokens: GeneratedToken[]) => void,
  ): Promise<WireGeneration> {
    const cache = session === undefined ? undefined : this.#session(session);
    let result: GenerationResult;
    try {
      result = await this.#queue.run(job, async () => {
        const clock = new Clock();
        const ready = Array.isArray(prompt) ? this.#conversation(job, prompt) : prompt;
        const run = this.#instance.call(() => (cache ?? this.#model).generate(ready, options));
        return this.#steps(job, run, clock, onTokens);
      });
    } catch (error) {
      // Ended before its turn came: nothing was made, and that is not a failure.
      if ((error as AzulejoError).code !== "aborted") throw error;
      result = nothingMade();
    }
    return { result, ...(cache !== undefined && { sessionLength: this.#instance.call(() => cache.length) }) };
  }

  async #steps(
    job: Job,
    run: GenerationRun,
    clock: Clock,
    onTokens: (tokens: GeneratedToken[]) => void,
  ): Promise<GenerationResult> {
    try {
      while (!job.aborted) {
        const event = this.#instance.step(() => run.step());
        if (event === undefined) break;
        if (event === null) {
          await this.#instance.turn(job.signal);
          continue;
        }
        clock.step(event.tokens.length);
        if (event.tokens.length > 0) onTokens(event.tokens);
        await nextTurn();
      }
      const result = this.#instance.call(() => run.result(job.aborted));
      return { ...result, stats: { ...result.stats, ...clock.times(result.stats.generatedTokens) } };
    } finally {
      this.#instance.free(run);
    }
  }

  logits(job: Job, { rows, last }: Takes<"logits">): Promise<TensorF32> {
    return this.#queue.run(job, async () => {
      const run = this.#instance.call(() => this.#model.logits(rows, last));
      try {
        while (await this.#instance.finish(job, () => run.step())) await nextTurn();
        return this.#instance.call(() => run.take());
      } finally {
        this.#instance.free(run);
      }
    });
  }

  attentionMaps(job: Job, { prompt, layer }: Takes<"attentionMaps">): Promise<TensorF32> {
    return this.#queue.run(job, async () => {
      const run = this.#instance.call(() => this.#model.attentionMaps(prompt, layer));
      try {
        return await this.#instance.finish(job, () => run.step());
      } finally {
        this.#instance.free(run);
      }
    });
  }

  // Text is not queued: nobody can tell the order, and a page counts tokens while the model talks.

  encode({ text, addSpecial }: Omit<Takes<"encode">, "model">): Uint32Array {
    return this.#instance.call(() => this.#model.encode(text, addSpecial));
  }

  decode({ ids, skipSpecial }: Takes<"decode">): string {
    return this.#instance.call(() => this.#model.decode(ids, skipSpecial));
  }

  applyChatTemplate(job: Job, { messages, addGenerationPrompt }: Omit<Takes<"applyChatTemplate">, "model">): string {
    this.#onRendering(job, true);
    try {
      return this.#instance.call(() => this.#model.applyChatTemplate(messages, addGenerationPrompt));
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

/** When a generation began, and when its tokens came. */
class Clock {
  readonly #start = performance.now();
  #first: number | undefined;
  #last = this.#start;

  step(tokens: number): void {
    this.#last = performance.now();
    if (tokens > 0) this.#first ??= this.#last;
  }

  /** The first token comes out of the prompt's last chunk: decoding is what follows it. */
  times(generated: number): { prefillMs: number; decodeMs: number; firstTokenMs: number; tokensPerSecond: number } {
    const first = this.#first ?? this.#last;
    const decodeMs = this.#last - first;
    const tokensPerSecond = generated > 1 && decodeMs > 0 ? ((generated - 1) / decodeMs) * 1000 : 0;
    return { prefillMs: first - this.#start, decodeMs, firstTokenMs: first - this.#start, tokensPerSecond };
  }
}
