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
import { checkAdapter } from "./load-options.js";
import type { Model } from "./model.js";
import { openModel } from "./open-model.js";
import { optionsOf } from "./options.js";
import { generate, RemoteSession } from "./session.js";
import { checkChoice, sourceOf, tagOf } from "./source.js";
import { RemoteTokenizer } from "./tokenizer.js";
import type { AdapterOptions, CausalLMOptions } from "./types-load.js";
import { checkFlag, checkLiveSignal, checkPlainPrompt, checkRows, counted, describe } from "./validate.js";

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
  readonly #model: Model;

  private constructor(model: Model) {
    super(model);
    this.#model = model;
    this.tokenizer = new RemoteTokenizer(model);
  }

  /** Rejects with "invalid-argument" where the checkpoint is for another class, which the message names. */
  static async load(source: ModelSource, options?: CausalLMOptions): Promise<CausalLM> {
    return new CausalLM(await openModel("causal-lm", source, options));
  }

  /** @internal Of a model that is there already. */
  static over(model: Model): CausalLM {
    return new CausalLM(model);
  }

  /**
   * The same model with a LoRA adapter beside its weights, which are neither changed nor copied: a folder of PEFT's
   * (`adapter_config.json`, `adapter_model.safetensors`), or a GGUF file. There may be several at a time, of which each
   * generation has its own, and each is disposed of by itself; the tokenizer and the chat template are the model's.
   * Rejects with "invalid-argument" where the adapter is another model's, and with "unsupported-model" where it is more
   * than LoRA beside the matrices of blocks: DoRA, biases, embeddings, whole weights.
   */
  async withAdapter(source: ModelSource, options?: AdapterOptions): Promise<CausalLM> {
    const site = new Error();
    const { scale, download, endpoint, fetch, signal, onProgress } = checkAdapter(options);
    const from = sourceOf(source, endpoint);
    checkChoice(from, download);
    return new CausalLM(await this.#model.adapted({ source: from, download, fetch, onProgress }, scale, signal, site));
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

  /**
   * The session that `save` gave: it goes on with nothing to be computed again, whatever device it was saved on. Rejects
   * with "corrupt-file" where it is not whole, with "unsupported-model" where another version's format is not read, and
   * with "invalid-argument" where another model, or this one with another `kvCacheType`, has saved it.
   */
  async restoreSession(saved: Blob | ArrayBuffer | ArrayBufferView): Promise<Session> {
    const bytes = await ownBytes(saved);
    const connection = await this.#model.reach();
    return RemoteSession.made(this.#model, connection, "restoreSession", { saved: bytes }, [bytes.buffer]);
  }
}

/** A copy, to be given away. */
async function ownBytes(saved: unknown): Promise<Uint8Array> {
  if (/^(Blob|File)$/.test(tagOf(saved))) return new Uint8Array(await (saved as Blob).arrayBuffer());
  if (tagOf(saved) === "ArrayBuffer") return new Uint8Array((saved as ArrayBuffer).slice(0));
  if (ArrayBuffer.isView(saved)) return new Uint8Array(new Uint8Array(saved.buffer, saved.byteOffset, saved.byteLength));
  throw invalid(`saved should be a Blob or bytes, not ${describe(saved)}`);
}
