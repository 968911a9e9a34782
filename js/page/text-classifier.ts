// An encoder with a classifier: texts, or pairs of them, in, classes out.

import { invalid } from "../shared/errors.js";
import type {
  Classification,
  ClassifyTextOptions,
  ModelSource,
  TextLogitsOptions,
  TensorF32,
  Tokenizer,
} from "../shared/types.js";
import { inTextBatches } from "./batches.js";
import { LoadedModel } from "./loaded-model.js";
import type { Model } from "./model.js";
import { openModel } from "./open-model.js";
import { optionsOf } from "./options.js";
import { RemoteTokenizer } from "./tokenizer.js";
import type { LoadOptions } from "./types-load.js";
import { checkFunction, checkLiveSignal, checkPairs, checkRows, counted } from "./validate.js";

const readClassify = /* @__PURE__ */ optionsOf<ClassifyTextOptions>("classify", {
  topK: /* @__PURE__ */ counted(1),
  onProgress: checkFunction<NonNullable<ClassifyTextOptions["onProgress"]>>,
  signal: checkLiveSignal,
});
const readLogits = /* @__PURE__ */ optionsOf<TextLogitsOptions>("logits", {
  tokenTypes: checkRows,
  signal: checkLiveSignal,
});

/** An encoder with a head of classes: what a text is, or how two belong together. */
export class TextClassifier extends LoadedModel {
  /** The checkpoint's own. */
  readonly tokenizer: Tokenizer;
  readonly #model: Model;

  private constructor(model: Model) {
    super(model);
    this.#model = model;
    this.tokenizer = new RemoteTokenizer(model);
  }

  /** Rejects with "invalid-argument" where the checkpoint is for another class, which the message names. */
  static async load(source: ModelSource, options?: LoadOptions): Promise<TextClassifier> {
    return new TextClassifier(await openModel("text-classification", source, options));
  }

  /** @internal Of a model that is there already. */
  static over(model: Model): TextClassifier {
    return new TextClassifier(model);
  }

  /** By index; "LABEL_0" and so on where the checkpoint names none. */
  get labels(): string[] {
    return [...this.#model.loaded.labels!];
  }

  /**
   * What each text is, best first. A pair is two texts seen together, as in entailment; one pair alone is a list too:
   * [[a, b]]. Long texts are cut as the checkpoint says.
   */
  classify(text: string, options?: ClassifyTextOptions): Promise<Classification[]>;
  classify(texts: (string | [string, string])[], options?: ClassifyTextOptions): Promise<Classification[][]>;
  async classify(
    given: string | (string | [string, string])[],
    options?: ClassifyTextOptions,
  ): Promise<Classification[] | Classification[][]> {
    const checked = checkPairs(typeof given === "string" ? [given] : given, "texts");
    const { topK: most = 5, ...batch } = readClassify(options);
    if (checked.length === 0) await this.#model.reach(batch.signal);
    const topK = Math.min(most, Math.max(1, this.#model.loaded.labels!.length));
    const answers = await inTextBatches(checked, batch, (texts, call) =>
      this.#model.call("classifyTexts", { texts, topK }, call),
    );
    return typeof given === "string" ? answers.flat()[0]! : answers.flat();
  }

  /** Of rows of ids, special ones and all: [rows, classes]. `tokenTypes` says which of two texts each token is of. */
  async logits(
    tokens: ArrayLike<number> | ArrayLike<number>[],
    options?: TextLogitsOptions,
  ): Promise<TensorF32> {
    const rows = checkRows(tokens);
    const { signal, tokenTypes } = readLogits(options);
    if (tokenTypes === undefined) return this.#model.call("textLogits", { rows }, { signal });
    const types = tokenTypes as Uint32Array[]; // As `checkRows` copied them.
    if (types.length !== rows.length) throw invalid(`tokenTypes has ${types.length} rows, and tokens ${rows.length}`);
    return this.#model.call("textLogits", { rows, types }, { signal });
  }
}
