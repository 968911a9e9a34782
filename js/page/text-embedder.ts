// An encoder: texts in, a vector of each out.

import type { WireText } from "../shared/protocol.js";
import type {
  EmbedOptions,
  LayerOptions,
  ModelSource,
  SignalOptions,
  TensorF32,
  Tokenizer,
} from "../shared/types.js";
import { inTextBatches } from "./batches.js";
import type { CallOptions } from "./connection.js";
import { LoadedModel } from "./loaded-model.js";
import type { Model } from "./model.js";
import { openModel } from "./open-model.js";
import { oneOf, optionsOf, readSignal } from "./options.js";
import { stack } from "./tensors.js";
import { RemoteTokenizer } from "./tokenizer.js";
import type { LoadOptions } from "./types-load.js";
import { checkFlag, checkFunction, checkLiveSignal, checkPlainPrompt, checkRows, checkText, checkTexts, counted } from "./validate.js";

const readEmbed = /* @__PURE__ */ optionsOf<EmbedOptions>(
  "embed",
  {
    pooling: /* @__PURE__ */ oneOf("mean", "cls", "pooler", "last"),
    normalize: checkFlag,
    prompt: checkText,
    promptName: checkText,
    onProgress: checkFunction<NonNullable<EmbedOptions["onProgress"]>>,
    signal: checkLiveSignal,
  },
);
const readMaps = /* @__PURE__ */ optionsOf<LayerOptions>("attentionMaps", {
  layer: /* @__PURE__ */ counted(0),
  signal: checkLiveSignal,
});

/** An encoder: each text becomes a vector, and those of like meaning lie together. */
export class TextEmbedder extends LoadedModel {
  /** The checkpoint's own. */
  readonly tokenizer: Tokenizer;
  readonly #model: Model;

  private constructor(model: Model) {
    super(model);
    this.#model = model;
    this.tokenizer = new RemoteTokenizer(model);
  }

  /** A text classifier's checkpoint too: its encoder is used. */
  static async load(source: ModelSource, options?: LoadOptions): Promise<TextEmbedder> {
    return new TextEmbedder(await openModel("text-embedding", source, options));
  }

  /** @internal Of a model that is there already. */
  static over(model: Model): TextEmbedder {
    return new TextEmbedder(model);
  }

  /**
   * One vector per text or row of ids, [rows, values]: mean, CLS or pooler as the model says, unit length unless
   * `normalize: false`. Before each text stands what the checkpoint has for it (`default_prompt_name`), or `prompt`, or its
   * prompt called `promptName`. Long texts are cut as the checkpoint says; ids are taken as they are, special ones and all.
   */
  async embed(texts: string | string[] | ArrayLike<number>[], options?: EmbedOptions): Promise<TensorF32> {
    const checked = checkTexts(texts, "texts");
    const { signal, onProgress, ...given } = readEmbed(options);
    const how = { normalize: true, ...given };
    if (checked.length === 0) await this.#model.reach(signal);
    const embed = (texts: WireText[], call: CallOptions) => this.#model.call("embed", { texts, ...how }, call);
    return stack(await inTextBatches(checked, { signal, onProgress }, embed), this.#model.loaded.vectorWidth!);
  }

  /** Hidden states after the last norm: [rows, positions, width], zero where a row is padded. */
  async hidden(
    tokens: ArrayLike<number> | ArrayLike<number>[],
    options?: SignalOptions,
  ): Promise<TensorF32> {
    const rows = checkRows(tokens);
    const { signal } = readSignal("hidden", options);
    return this.#model.call("hidden", { rows }, { signal });
  }

  /** Attention weights of a text, for looking at: [layers, heads, positions, positions], or of one layer. */
  async attentionMaps(
    text: string | ArrayLike<number>,
    options?: LayerOptions,
  ): Promise<TensorF32> {
    const checked = checkPlainPrompt(text, "the text");
    const { signal, ...which } = readMaps(options);
    return this.#model.call("textAttentionMaps", { text: checked, ...which }, { signal });
  }
}
