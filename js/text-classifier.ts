// An encoder with a classifier: texts, or pairs of them, in, classes out.

import { inTextBatches } from "./batches.js";
import type { Engine } from "./engine.js";
import { openModel } from "./open-model.js";
import type { RemoteModel } from "./remote.js";
import { RemoteTokenizer } from "./tokenizer.js";
import type {
  Classification,
  ClassifyTextOptions,
  LoadOptions,
  ModelSource,
  ModelSummary,
  TensorF32,
  Tokenizer,
} from "./types.js";
import { checkBatch, checkCount, checkOptions, checkPairs, checkRows, checkSignal } from "./validate.js";

export class TextClassifier {
  readonly tokenizer: Tokenizer;
  readonly #model: RemoteModel;

  private constructor(model: RemoteModel) {
    this.#model = model;
    this.tokenizer = new RemoteTokenizer(model);
  }

  static async load(source: ModelSource, options: LoadOptions = {}): Promise<TextClassifier> {
    return new TextClassifier(await openModel("text-classification", source, options));
  }

  get summary(): ModelSummary {
    return this.#model.loaded.summary;
  }

  get engine(): Engine {
    return this.#model.engine;
  }

  /** By index; "LABEL_0" and so on where the checkpoint names none. */
  get labels(): string[] {
    return [...this.#model.loaded.labels!];
  }

  /**
   * What each text is, best first. A pair is two texts seen together, as in entailment. Long texts are cut as the
   * checkpoint says.
   */
  async classify(
    texts: (string | [string, string])[],
    options: ClassifyTextOptions = {},
  ): Promise<Classification[][]> {
    const checked = checkPairs(texts, "texts");
    const batch = checkBatch(options);
    const most = Math.max(1, this.#model.loaded.labels!.length);
    const topK = Math.min(checkCount(options.topK ?? 5, "topK", 1), most);
    const answers = await inTextBatches(checked, batch, (texts, call) =>
      this.#model.call("classifyTexts", { texts, topK }, call),
    );
    return answers.flat();
  }

  /** Of rows of ids, special ones and all: [rows, classes]. */
  async logits(
    tokens: ArrayLike<number> | ArrayLike<number>[],
    options: { signal?: AbortSignal } = {},
  ): Promise<TensorF32> {
    const rows = checkRows(tokens);
    checkOptions(options, "options");
    checkSignal(options.signal, false);
    return this.#model.call("textLogits", { rows }, { signal: options.signal });
  }

  /** Frees the model. What waits for it rejects with code "disposed". */
  dispose(): Promise<void> {
    return this.#model.dispose();
  }
}
