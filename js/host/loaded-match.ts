// A model that matches images with texts, in the host.

import type { Job } from "../shared/jobs.js";
import type { Loaded } from "../shared/protocol.js";
import type { TensorF32 } from "../shared/types.js";
import type { MatchModel } from "../simd/azulejo.js";
import { LoadedReader, type Takes } from "./loaded-base.js";

export class LoadedMatch extends LoadedReader<MatchModel> {
  override facts(): Loaded {
    const [scale, bias] = this.instance.call(() => [this.model.scale(), this.model.bias()] as const);
    return { ...super.facts(), matching: { scale, ...(bias !== undefined && { bias }) } };
  }

  embedImages(job: Job, { input }: Takes<"embedImages">): Promise<TensorF32> {
    if (Array.isArray(input)) return this.finish(job, (model) => model.embedImages(input), { pictures: input });
    const { data, dims } = input;
    return this.finish(job, (model) => model.embedPixels(data, Uint32Array.from(dims)));
  }

  embedTexts(job: Job, { texts }: Takes<"embedTexts">): Promise<TensorF32> {
    return this.finish(job, (model) => model.embedText(texts), { texts });
  }

  logits(job: Job, { pixels: { data, dims }, rows }: Takes<"matchLogits">): Promise<TensorF32> {
    return this.finish(job, (model) => model.logits(data, Uint32Array.from(dims), rows));
  }
}
