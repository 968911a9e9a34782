// Models that read text and write none, or write another, in the host: encoders and encoder-decoders.

import { invalid } from "../shared/errors.js";
import type { Job } from "../shared/jobs.js";
import type { Calls, Loaded, WireGeneration } from "../shared/protocol.js";
import type { Classification, TensorF32 } from "../shared/types.js";
import type { Seq2SeqModel, TextModel } from "../simd/azulejo.js";
import { Generations, type OnTokens } from "./generating.js";
import { LoadedReader, type Takes } from "./loaded-base.js";

export class LoadedTexts extends LoadedReader<TextModel> {
  override facts(): Loaded {
    const [labels, vectorWidth] = this.instance.call(() => [this.model.labels(), this.model.vectorWidth()] as const);
    return { ...super.facts(), labels, vectorWidth };
  }

  embed(job: Job, { texts, pooling, normalize, prompt, promptName }: Takes<"embed">): Promise<TensorF32> {
    return this.finish(job, (model) => model.embed(texts, pooling, normalize, prompt, promptName), { texts });
  }

  hidden(job: Job, { rows }: Takes<"hidden">): Promise<TensorF32> {
    return this.finish(job, (model) => model.hidden(rows));
  }

  attentionMaps(job: Job, { text, layer }: Takes<"textAttentionMaps">): Promise<TensorF32> {
    return this.finish(job, (model) => model.attentionMaps(text, layer), { texts: [text] });
  }

  classify(job: Job, { texts, topK }: Takes<"classifyTexts">): Promise<Classification[][]> {
    return this.finish(job, (model) => model.classify(texts, topK), { texts });
  }

  classifyTokens(job: Job, { texts, merge }: Takes<"classifyTokens">): Promise<Calls["classifyTokens"]["gives"]> {
    return this.finish(job, (model) => model.classifyTokens(texts, merge), { texts });
  }

  logits(job: Job, { rows, types }: Takes<"textLogits">): Promise<TensorF32> {
    return this.finish(job, (model) => model.logits(rows, types));
  }
}

export class LoadedSeq2Seq extends LoadedReader<Seq2SeqModel> {
  readonly #generations = new Generations(this.instance, this.queue, this.model);

  async generate(job: Job, { prompt, options }: Takes<"generate">, onTokens: OnTokens): Promise<WireGeneration> {
    const { instance } = this;
    if (typeof prompt !== "string" && !(prompt instanceof Uint32Array))
      throw invalid("an encoder-decoder takes text or token ids, not messages");
    const begin = () => instance.stranger(job.id, "tokenizer", prompt.length, () => this.model.generate(prompt, options));
    return { result: await this.#generations.finish(job, begin, onTokens) };
  }

  logits(job: Job, { rows, decoderRows }: Takes<"seq2seqLogits">): Promise<TensorF32> {
    return this.finish(job, (model) => model.logits(rows, decoderRows));
  }
}
