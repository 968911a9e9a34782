// What all models in the host have: a queue, and the loop that steps their work.

import { invalid } from "../shared/errors.js";
import { Queue, type Job } from "../shared/jobs.js";
import { nextTurn, release } from "../shared/platform.js";
import type { Calls, Loaded, Picture, WirePair, WireText } from "../shared/protocol.js";
import type { ModelSummary } from "../shared/types.js";
import type { Run } from "../simd/azulejo.js";
import type { Instance } from "./instance.js";

/** What a call takes, for the model that it is for. */
export type Takes<K extends keyof Calls> = Omit<Calls[K]["takes"], "model">;

export abstract class LoadedBase<M extends { summary(): ModelSummary; free(): void }> {
  protected readonly instance: Instance;
  protected readonly model: M;
  protected readonly queue: Queue;

  constructor(instance: Instance, model: M, queue = new Queue()) {
    this.instance = instance;
    this.model = model;
    this.queue = queue;
  }

  /** What the page is told of it. */
  facts(): Loaded {
    return { summary: this.instance.call(() => this.model.summary()) };
  }

  /** Waits for what runs; the caller has aborted it. */
  dispose(job: Job): Promise<void> {
    return this.queue.run(job, async () => this.free());
  }

  protected free(): void {
    this.instance.free(this.model);
  }

  /** Steps a run to its end, when its turn has come. `texts` are read at its beginning; the pictures are gone at its end. */
  protected async finish<T>(
    job: Job,
    begin: (model: M) => Run<T>,
    { pictures = [], texts }: { pictures?: Picture[]; texts?: WirePair[] | WireText[] } = {},
  ): Promise<T> {
    try {
      return await this.queue.run(job, () => this.#steps(job, begin, texts));
    } finally {
      release(pictures.map(({ data }) => data.buffer));
    }
  }

  async #steps<T>(job: Job, begin: (model: M) => Run<T>, texts?: WirePair[] | WireText[]): Promise<T> {
    const work = () => begin(this.model);
    const run = texts === undefined ? this.instance.call(work) : this.instance.stranger(job.id, "tokenizer", lengthOf(texts), work);
    try {
      for (;;) {
        const answer = await this.instance.finish(job, () => run.step());
        if (answer !== true) return answer as T;
        await nextTurn();
      }
    } finally {
      this.instance.free(run);
    }
  }
}

interface Reader {
  summary(): ModelSummary;
  encode(text: string, addSpecial: boolean): Uint32Array;
  decode(ids: Uint32Array, skipSpecial: boolean): string;
  free(): void;
}

/**
 * A model that reads text. Its tokenizer does not queue up: nobody can tell the order, and a page counts tokens while the
 * model talks.
 */
export abstract class LoadedReader<M extends Reader> extends LoadedBase<M> {
  encode(job: Job, { text, addSpecial }: Takes<"encode">): Uint32Array {
    return this.instance.stranger(job.id, "tokenizer", text.length, () => this.model.encode(text, addSpecial));
  }

  decode({ ids, skipSpecial }: Takes<"decode">): string {
    return this.instance.call(() => this.model.decode(ids, skipSpecial));
  }

  applyChatTemplate(_job: Job, _takes: Takes<"applyChatTemplate">): string {
    throw invalid("this checkpoint has no chat template");
  }
}

function lengthOf(texts: (WirePair | WireText)[]): number {
  const length = (text: WirePair | WireText): number => (Array.isArray(text) ? text[0].length + text[1].length : text.length);
  return texts.reduce((sum, text) => sum + length(text), 0);
}
