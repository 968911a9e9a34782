// An encoder-decoder: a text in, another out.

import { invalid } from "../shared/errors.js";
import type {
  Generation,
  ModelSource,
  Seq2SeqOptions,
  SignalOptions,
  TensorF32,
  Tokenizer,
} from "../shared/types.js";
import { checkSeq2Seq } from "./generate-options.js";
import { startGeneration } from "./generation.js";
import { LoadedModel } from "./loaded-model.js";
import type { Model } from "./model.js";
import { openModel } from "./open-model.js";
import { readSignal } from "./options.js";
import { RemoteTokenizer } from "./tokenizer.js";
import type { LoadOptions } from "./types-load.js";
import { checkPlainPrompt, checkRows } from "./validate.js";

/** An encoder with a decoder (T5, BART, Marian): what is read becomes another text. */
export class Seq2SeqLM extends LoadedModel {
  /** The checkpoint's own. */
  readonly tokenizer: Tokenizer;
  readonly #model: Model;

  private constructor(model: Model) {
    super(model);
    this.#model = model;
    this.tokenizer = new RemoteTokenizer(model);
  }

  /** Rejects with "invalid-argument" where the checkpoint is for another class, which the message names. */
  static async load(source: ModelSource, options?: LoadOptions): Promise<Seq2SeqLM> {
    return new Seq2SeqLM(await openModel("seq2seq", source, options));
  }

  /**
   * What the decoder writes to a text or its token ids. Text gets the tokenizer's own special tokens. With `beams` above
   * 1 all tokens come at the end.
   */
  generate(text: string | ArrayLike<number>, options?: Seq2SeqOptions): Generation {
    const site = new Error();
    return startGeneration(async (signal, onTokens) => {
      const wire = { prompt: checkPlainPrompt(text, "the prompt"), options: checkSeq2Seq(options) };
      return (await this.#model.call("generate", wire, { signal, onTokens, site })).result;
    }, options?.signal);
  }

  /**
   * The decoder's logits of every position, one row of `decoderTokens` to each row of `tokens`; rows may differ in
   * length, and are padded on the right: [rows, decoder positions, vocabulary].
   */
  async logits(
    tokens: ArrayLike<number> | ArrayLike<number>[],
    decoderTokens: ArrayLike<number> | ArrayLike<number>[],
    options?: SignalOptions,
  ): Promise<TensorF32> {
    const rows = checkRows(tokens);
    const decoderRows = checkRows(decoderTokens, "decoderTokens");
    if (rows.length !== decoderRows.length)
      throw invalid(`tokens and decoderTokens should have as many rows: they have ${rows.length} and ${decoderRows.length}`);
    const { signal } = readSignal("logits", options);
    return this.#model.call("seq2seqLogits", { rows, decoderRows }, { signal });
  }
}
