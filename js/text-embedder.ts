// An encoder: texts in, a vector of each out.

import { inTextBatches } from "./batches.js";
import type { Engine } from "./engine.js";
import { invalid } from "./errors.js";
import { openModel } from "./open-model.js";
import type { RemoteModel } from "./remote.js";
import { stack } from "./tensors.js";
import { RemoteTokenizer } from "./tokenizer.js";
import type {
  EmbedOptions,
  LoadOptions,
  ModelSource,
  ModelSummary,
  Pooling,
  TensorF32,
  Tokenizer,
} from "./types.js";
import {
  checkBatch,
  checkCount,
  checkFlag,
  checkOptions,
  checkPrompt,
  checkRows,
  checkSignal,
  checkTexts,
  describe,
} from "./validate.js";

export class TextEmbedder {
  readonly tokenizer: Tokenizer;
  readonly #model: RemoteModel;

  private constructor(model: RemoteModel) {
    this.#model = model;
    this.tokenizer = new RemoteTokenizer(model);
  }

  /** A text classifier's checkpoint too: its encoder is used. */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<TextEmbedder> {
    return new TextEmbedder(await openModel("text-embedding", source, options));
  }

  get summary(): ModelSummary {
    return this.#model.loaded.summary;
  }

  get engine(): Engine {
    return this.#model.engine;
  }

  /**
   * One vector per text or row of ids, [rows, width]: mean, CLS or pooler as the model says, unit length unless
   * `normalize: false`. Long texts are cut as the checkpoint says; ids are taken as they are, special ones and all.
   */
  async embed(texts: string | string[] | ArrayLike<number>[], options: EmbedOptions = {}): Promise<TensorF32> {
    const checked = checkTexts(texts, "texts");
    const batch = checkBatch(options);
    const how = {
      ...(options.pooling !== undefined && { pooling: checkPooling(options.pooling) }),
      normalize: checkFlag(options.normalize ?? true, "normalize"),
    };
    return stack(await inTextBatches(checked, batch, (texts, call) => this.#model.call("embed", { texts, ...how }, call)));
  }

  /** Hidden states after the last norm: [rows, positions, width], zero where a row is padded. */
  async hidden(
    tokens: ArrayLike<number> | ArrayLike<number>[],
    options: { signal?: AbortSignal } = {},
  ): Promise<TensorF32> {
    const rows = checkRows(tokens);
    checkOptions(options, "options");
    checkSignal(options.signal, false);
    return this.#model.call("hidden", { rows }, { signal: options.signal });
  }

  /** Attention weights of a text, for looking at: [layers, heads, positions, positions], or of one layer. */
  async attentionMaps(
    text: string | ArrayLike<number>,
    options: { layer?: number; signal?: AbortSignal } = {},
  ): Promise<TensorF32> {
    const checked = checkPrompt(text);
    if (Array.isArray(checked)) throw invalid("the text should be text or token ids, not messages");
    checkOptions(options, "options");
    const { layer, signal } = options;
    checkSignal(signal, false);
    const which = layer !== undefined && { layer: checkCount(layer, "layer", 0) };
    return this.#model.call("textAttentionMaps", { text: checked, ...which }, { signal });
  }

  /** Frees the model. What waits for it rejects with code "disposed". */
  dispose(): Promise<void> {
    return this.#model.dispose();
  }
}

function checkPooling(pooling: unknown): Pooling {
  if (pooling !== "mean" && pooling !== "cls" && pooling !== "pooler")
    throw invalid(`pooling should be "mean", "cls" or "pooler", not ${describe(pooling)}`);
  return pooling;
}
