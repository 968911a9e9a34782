// A language model: text in, text out.

import { invalid } from "../shared/errors.js";
import type {
  GenerateOptions,
  Generation,
  LayerOptions,
  Message,
  ModelSource,
  Session,
  TensorF32,
  Tokenizer,
} from "../shared/types.js";
import { LoadedModel } from "./loaded-model.js";
import { openModel } from "./open-model.js";
import { optionsOf } from "./options.js";
import type { RemoteModel } from "./remote.js";
import { generate, RemoteSession } from "./session.js";
import { RemoteTokenizer } from "./tokenizer.js";
import type { CausalLMOptions } from "./types-load.js";
import { checkFlag, checkLiveSignal, checkPlainPrompt, checkRows, counted } from "./validate.js";

const readLogits = /* @__PURE__ */ optionsOf<{ last?: boolean | undefined; signal?: AbortSignal | undefined }>("logits", {
  last: checkFlag,
  signal: checkLiveSignal,
});
const readMaps = /* @__PURE__ */ optionsOf<LayerOptions>("attentionMaps", {
  layer: /* @__PURE__ */ counted(0),
  signal: checkLiveSignal,
});

/** A language model of the decoder kind: text, chat messages or token ids in, text out. */
export class CausalLM extends LoadedModel {
  /** The checkpoint's own. */
  readonly tokenizer: Tokenizer;
  readonly #model: RemoteModel;

  private constructor(model: RemoteModel) {
    super(model);
    this.#model = model;
    this.tokenizer = new RemoteTokenizer(model);
  }

  /** Rejects with "invalid-argument" where the checkpoint is for another class, which the message names. */
  static async load(source: ModelSource, options?: CausalLMOptions): Promise<CausalLM> {
    return new CausalLM(await openModel("causal-lm", source, options));
  }

  /** What generation_config.json, or a GGUF file, suggests; used where the caller says nothing only if `useDefaults` is given. */
  get defaults(): GenerateOptions {
    return structuredClone(this.#model.loaded.defaults ?? {});
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
    options?: { last?: boolean | undefined; signal?: AbortSignal | undefined },
  ): Promise<TensorF32> {
    const rows = checkRows(tokens);
    const { last = false, signal } = readLogits(options);
    return this.#model.call("logits", { rows, last }, { signal });
  }

  /** Attention weights of a prompt, for looking at: [layers, heads, positions, positions], or of one layer. */
  async attentionMaps(prompt: string | ArrayLike<number>, options?: LayerOptions): Promise<TensorF32> {
    const checked = checkPlainPrompt(prompt, "prompt", "; tokenizer.applyChatTemplate turns them into text");
    const { signal, ...which } = readMaps(options);
    return this.#model.call("attentionMaps", { prompt: checked, ...which }, { signal });
  }

  /** A conversation that keeps its KV cache between calls. */
  createSession(): Session {
    return new RemoteSession(this.#model);
  }

  /** This version rejects: not supported yet. */
  restoreSession(_saved: Blob | ArrayBuffer): Promise<Session> {
    return Promise.reject(invalid("restoreSession: not supported yet"));
  }
}
