// An encoder with a classifier of tokens: texts in, the spans with a name in them out.

import type {
  ModelSource,
  SignalOptions,
  SpanOptions,
  TensorF32,
  TextSpan,
  Tokenizer,
} from "../shared/types.js";
import { inTextBatches } from "./batches.js";
import { LoadedModel } from "./loaded-model.js";
import type { Model } from "./model.js";
import { openModel } from "./open-model.js";
import { optionsOf, readSignal } from "./options.js";
import { RemoteTokenizer } from "./tokenizer.js";
import type { LoadOptions } from "./types-load.js";
import { checkFlag, checkFunction, checkList, checkLiveSignal, checkRows, checkText } from "./validate.js";

const readClassify = /* @__PURE__ */ optionsOf<SpanOptions>("classify", {
  merge: checkFlag,
  onProgress: checkFunction<NonNullable<SpanOptions["onProgress"]>>,
  signal: checkLiveSignal,
});

/** An encoder with a class for each token: names, places, what must not leave the page. */
export class TokenClassifier extends LoadedModel {
  /** The checkpoint's own. */
  readonly tokenizer: Tokenizer;
  readonly #model: Model;

  private constructor(model: Model) {
    super(model);
    this.#model = model;
    this.tokenizer = new RemoteTokenizer(model);
  }

  /** Rejects with "invalid-argument" where the checkpoint is for another class, which the message names. */
  static async load(source: ModelSource, options?: LoadOptions): Promise<TokenClassifier> {
    return new TokenClassifier(await openModel("token-classification", source, options));
  }

  /** By index, each with "B-" or "I-" before it where the checkpoint tells beginnings apart; "O" is nothing. */
  get labels(): string[] {
    return [...this.#model.loaded.labels!];
  }

  /**
   * The spans of each text that are something, in order: `text.slice(start, end)` is one's text. Neighbours of one thing are
   * one span, with the mean of their scores, as transformers' `aggregation_strategy="simple"` has it. A text that is longer
   * than the model takes is read in windows that overlap: nothing is cut.
   */
  classify(text: string, options?: SpanOptions): Promise<TextSpan[]>;
  classify(texts: string[], options?: SpanOptions): Promise<TextSpan[][]>;
  async classify(given: string | string[], options?: SpanOptions): Promise<TextSpan[] | TextSpan[][]> {
    const checked = checkList(typeof given === "string" ? [given] : given, "texts", "strings", checkText);
    const { merge = true, ...batch } = readClassify(options);
    if (checked.length === 0) await this.#model.reach(batch.signal);
    const answers = await inTextBatches(checked, batch, (texts, call) =>
      this.#model.call("classifyTokens", { texts, merge }, call),
    );
    const spans = answers.flat().map((found, at) => {
      const text = checked[at]!;
      return found.map(({ label, score, start, end }) => ({ label, score, text: text.slice(start, end), start, end }));
    });
    return typeof given === "string" ? spans[0]! : spans;
  }

  /** Of rows of ids, special ones and all: [rows, positions, classes], zero where a row is padded. */
  async logits(tokens: ArrayLike<number> | ArrayLike<number>[], options?: SignalOptions): Promise<TensorF32> {
    const rows = checkRows(tokens);
    const { signal } = readSignal("logits", options);
    return this.#model.call("textLogits", { rows }, { signal });
  }
}
