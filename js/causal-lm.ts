// A language model: text in, text out.

import type { Engine } from "./engine.js";
import { invalid } from "./errors.js";
import { openModel } from "./open-model.js";
import type { RemoteModel } from "./remote.js";
import { generate, RemoteSession } from "./session.js";
import { RemoteTokenizer } from "./tokenizer.js";
import type {
  CausalLMOptions,
  GenerateOptions,
  Generation,
  Message,
  ModelSource,
  ModelSummary,
  Session,
  TensorF32,
  Tokenizer,
} from "./types.js";
import { checkCount, checkFlag, checkPrompt, checkRows, checkSignal } from "./validate.js";

export class CausalLM {
  readonly tokenizer: Tokenizer;
  readonly #model: RemoteModel;

  private constructor(model: RemoteModel) {
    this.#model = model;
    this.tokenizer = new RemoteTokenizer(model);
  }

  /** `kvCacheType` defaults to "f16". */
  static async load(source: ModelSource, options: CausalLMOptions = {}): Promise<CausalLM> {
    return new CausalLM(await openModel("causal-lm", source, options));
  }

  get summary(): ModelSummary {
    return this.#model.loaded.summary;
  }

  get engine(): Engine {
    return this.#model.engine;
  }

  /**
   * A prompt as text, chat messages (through the model's own template) or token ids. Text gets the
   * tokenizer's own special tokens (BOS) unless it starts with one; a template brings its own.
   */
  generate(prompt: string | Message[] | ArrayLike<number>, options?: GenerateOptions): Generation {
    return generate(this.#model, undefined, prompt, options);
  }

  /**
   * Logits of every position (`last`: of the last position only), rows padded on the right:
   * [rows, positions, vocabulary].
   */
  async logits(
    tokens: ArrayLike<number> | ArrayLike<number>[],
    options: { last?: boolean; signal?: AbortSignal } = {},
  ): Promise<TensorF32> {
    const rows = checkRows(tokens);
    const last = checkFlag(options.last ?? false, "last");
    checkSignal(options.signal, false);
    return this.#model.call("logits", { rows, last }, { signal: options.signal });
  }

  /** Attention weights of a prompt, for looking at: [layers, heads, positions, positions], or of one layer. */
  async attentionMaps(prompt: string | ArrayLike<number>, options: { layer?: number } = {}): Promise<TensorF32> {
    const checked = checkPrompt(prompt);
    if (Array.isArray(checked))
      throw invalid("prompt should be text or token ids; tokenizer.applyChatTemplate turns messages into text");
    const { layer } = options;
    return this.#model.call("attentionMaps", {
      prompt: checked,
      ...(layer !== undefined && { layer: checkCount(layer, "layer", 0) }),
    });
  }

  /** A conversation that keeps its KV cache between calls. */
  createSession(): Session {
    return new RemoteSession(this.#model);
  }

  /** This version rejects: not supported yet. */
  restoreSession(_saved: Blob | ArrayBuffer): Promise<Session> {
    return Promise.reject(invalid("restoreSession: not supported yet"));
  }

  /** Frees the model. What waits for it rejects with code "disposed". */
  dispose(): Promise<void> {
    return this.#model.dispose();
  }
}
