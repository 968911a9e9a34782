// An image model in the host: its queue, and the loop that steps its work.

import type { Instance } from "./instance.js";
import { Queue, type Job } from "./jobs.js";
import { nextTurn, release } from "./platform.js";
import type { Calls, ImageFacts, Picture } from "./protocol.js";
import type { Classification, TensorF32 } from "./types.js";
import type { ImageModel, Run } from "./simd/azulejo.js";

type Takes<K extends keyof Calls> = Omit<Calls[K]["takes"], "model">;

export class LoadedImages {
  readonly #instance: Instance;
  readonly #model: ImageModel;
  readonly #queue = new Queue();

  constructor(instance: Instance, model: ImageModel) {
    this.#instance = instance;
    this.#model = model;
  }

  facts(): ImageFacts {
    return this.#instance.call(() => {
      const [channels, height, width] = this.#model.inputSize();
      return { labels: this.#model.labels(), inputSize: [channels!, height!, width!] };
    });
  }

  /** Waits for what runs; the caller has aborted it. */
  dispose(job: Job): Promise<void> {
    return this.#queue.run(job, async () => this.#instance.free(this.#model));
  }

  classify(job: Job, { pictures, topK }: Takes<"classify">): Promise<Classification[][]> {
    return this.#finish(job, pictures, (model) => model.classify(pictures, topK));
  }

  pixels(job: Job, { pictures }: Takes<"pixels">): Promise<TensorF32> {
    return this.#finish(job, pictures, (model) => model.pixels(pictures));
  }

  logits(job: Job, { pixels: { data, dims } }: Takes<"imageLogits">): Promise<TensorF32> {
    return this.#finish(job, [], (model) => model.logits(data, Uint32Array.from(dims)));
  }

  features(job: Job, { input }: Takes<"imageFeatures">): Promise<TensorF32> {
    if (!("dims" in input)) return this.#finish(job, [input], (model) => model.featuresOf(input));
    const { data, dims } = input;
    return this.#finish(job, [], (model) => model.features(data, Uint32Array.from(dims)));
  }

  attentionMaps(job: Job, { pixels: { data, dims } }: Takes<"imageAttentionMaps">): Promise<TensorF32> {
    return this.#finish(job, [], (model) => model.attentionMaps(data, Uint32Array.from(dims)));
  }

  attention(job: Job, { picture, layer, head }: Takes<"imageAttention">): Promise<TensorF32> {
    return this.#finish(job, [picture], (model) => model.attention(picture, layer, head));
  }

  /** Steps a run to its end. The pictures are gone afterwards. */
  async #finish<T>(job: Job, pictures: Picture[], begin: (model: ImageModel) => Run<T>): Promise<T> {
    try {
      return await this.#queue.run(job, () => this.#steps(job, begin));
    } finally {
      release(pictures.map(({ data }) => data.buffer));
    }
  }

  async #steps<T>(job: Job, begin: (model: ImageModel) => Run<T>): Promise<T> {
    const run = this.#instance.call(() => begin(this.#model));
    try {
      for (;;) {
        const answer = await this.#instance.finish(job, () => run.step());
        if (answer !== true) return answer as T;
        await nextTurn();
      }
    } finally {
      this.#instance.free(run);
    }
  }
}
