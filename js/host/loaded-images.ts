// An image model in the host.

import type { Job } from "../shared/jobs.js";
import type { Loaded } from "../shared/protocol.js";
import type { Classification, TensorF32 } from "../shared/types.js";
import type { ImageModel } from "../simd/azulejo.js";
import { LoadedBase, type Takes } from "./loaded-base.js";

export class LoadedImages extends LoadedBase<ImageModel> {
  override facts(): Loaded {
    const [labels, inputSize] = this.instance.call(() => [this.model.labels(), this.model.inputSize()] as const);
    const [channels, height, width] = inputSize;
    return { ...super.facts(), labels, inputSize: [channels!, height!, width!] };
  }

  classify(job: Job, { pictures, topK }: Takes<"classify">): Promise<Classification[][]> {
    return this.finish(job, (model) => model.classify(pictures, topK), { pictures });
  }

  pixels(job: Job, { pictures }: Takes<"pixels">): Promise<TensorF32> {
    return this.finish(job, (model) => model.pixels(pictures), { pictures });
  }

  logits(job: Job, { pixels: { data, dims } }: Takes<"imageLogits">): Promise<TensorF32> {
    return this.finish(job, (model) => model.logits(data, Uint32Array.from(dims)));
  }

  features(job: Job, { input }: Takes<"imageFeatures">): Promise<TensorF32> {
    if (!("dims" in input)) return this.finish(job, (model) => model.featuresOf(input), { pictures: [input] });
    const { data, dims } = input;
    return this.finish(job, (model) => model.features(data, Uint32Array.from(dims)));
  }

  attentionMaps(job: Job, { pixels: { data, dims } }: Takes<"imageAttentionMaps">): Promise<TensorF32> {
    return this.finish(job, (model) => model.attentionMaps(data, Uint32Array.from(dims)));
  }

  attention(job: Job, { picture, layer, head }: Takes<"imageAttention">): Promise<TensorF32> {
    return this.finish(job, (model) => model.attention(picture, layer, head), { pictures: [picture] });
  }
}
