// What the Rust core exports through wasm-bindgen, as this package uses it. The JavaScript lies beside the .wasm in dist/.

import type {
  GpuDiagnostics,
  Picture,
  WireGenerateOptions,
  WireModelOptions,
  WirePair,
  WireSeq2SeqOptions,
  WireText,
} from "../shared/protocol.js";
import type { Classification, GeneratedToken, GenerateOptions, GenerationResult, KernelTuning, ModelSummary, Pooling, TensorF32, TextSpan } from "../shared/types.js";

export interface InitOptions {
  module_or_path: WebAssembly.Module;
  /** Threads build only. */
  memory?: WebAssembly.Memory;
  thread_stack_size?: number;
}
export default function init(options: InitOptions): Promise<{ memory: WebAssembly.Memory }>;
/** What `init` gave, once it has: of the instance that lives now. */
export function initSync(): { memory: WebAssembly.Memory };
/**
 * In the simd build only: a new instance of the same module, in place of one that has failed. That one's objects must
 * not be touched again.
 */
export function __wbg_reset_state(): void;

/** Has panics leave their words. Once, on the first thread. */
export function start(): void;
/** Where in its memory the core leaves what `notes.ts` reads. */
export function notesAt(): number;

export interface GpuOptions {
  powerPreference?: "low-power" | "high-performance";
  /** Features that are not to be used: "subgroups", "shader-f16", "timestamp-query", "packed-dot". */
  without?: string[];
  /** Asks for WebGPU's default limits and no optional feature. */
  basicLimits?: boolean;
  /** Multiplies quantised weights by inputs of 8 bits. */
  integerDot?: boolean;
  /** Times each kernel. */
  profile?: boolean;
  /** Lanes that share a row of a matrix. */
  lanes?: number;
}

export interface GpuInfo {
  description: string;
  features: string[];
  limits: { maxBufferSize: number; maxStorageBufferBindingSize: number };
  /** It takes long to say that it is done, unless it is given something more to do: see `gpuNudge`. */
  isLate: boolean;
}

/**
 * Adapter and device for this instance; rejects with code "no-webgpu". `onLost` is called when the device is lost;
 * after that it may be called again. The threads build, which computes on the CPU only, has none of this.
 */
export function openGpu(options: GpuOptions, onLost: (message: string) => void): Promise<GpuInfo>;
/** What kernels' ways were found to take: see `DeviceInfo.tuning`. */
export type Tuning = Omit<KernelTuning, "kept">;
/** Measures the ways of the main kernels on the open GPU, which has no model yet, and chooses the best. */
export function tuneGpu(): Promise<Tuning>;
/** Chooses what an earlier measurement came to; throws where it is none. */
export function chooseKernels(tuning: Tuning): void;
/** What the GPU has done since it was opened. */
export function gpuDiagnostics(): Omit<GpuDiagnostics, "cpuMs"> | null;
/** Resolves at the GPU's next event: a readback has arrived, work is done, the device is lost. */
export function gpuTurn(): Promise<void>;
/** Gives the GPU nothing to do, which makes a late one tell what it has done. */
export function gpuNudge(): void;
/** Whether something has gone wrong on the GPU that should not have: it is to be opened anew. */
export function gpuIsBroken(): boolean;
/** Leaves the GPU to the models that are on it; without any, its device is destroyed. */
export function closeGpu(): void;

// Whatever may have to wait for the GPU gives null then: await `gpuTurn` and call it again. On the CPU it never does.

export type LoaderOptions = WireModelOptions & {
  device: "cpu" | "webgpu";
  /** The core passes over the weights. */
  headerOnly?: boolean;
};

/** modules.json, its modules' config.json, and what else stands in files of their own. */
export interface SentenceFiles {
  modules: string;
  pooling?: string | undefined;
  normalize?: string | undefined;
  /** By the modules' folders. */
  dense: Record<string, string>;
  model?: string | undefined;
  transformer?: string | undefined;
}

/** Every throw is an object { code, message, where? }; a trap is a WebAssembly.RuntimeError. */
export class ModelLoader {
  constructor(format: "gguf" | "safetensors", options: LoaderOptions);
  config(json: string): void;
  tokenizer(json: string | undefined, config?: string, chatTemplate?: string, withTools?: string): void;
  /** Where there is no tokenizer.json: the names of what its class has instead, the indispensable one first. */
  tokenizerFiles(config: string | undefined): string[];
  /** One of them, before `tokenizer`. */
  tokenizerFile(name: string, bytes: Uint8Array): void;
  /** preprocessor_config.json, before any weights. */
  preprocessor(json: string): void;
  /**
   * What sentence-transformers has beside a model; undefined where it has nothing. The folders of its Dense modules, whose
   * weights come after the model's, in that order.
   */
  sentence(files: SentenceFiles | undefined): string[];
  /** config_sentence_transformers.json of a cross-encoder. */
  crossEncoder(json: string): void;
  /** generation_config.json, after config.json; undefined where there is none. */
  generation(json: string | undefined): void;
  begin(file: string, size?: number): void;
  /** The same of the weights of a Dense module, by its place. */
  beginDense(module: number, file: string, size?: number): void;
  push(bytes: Uint8Array): void;
  /** Of the current file: enough for `summary`. */
  readonly headerComplete: boolean;
  /** How many GGUF files belong together. */
  readonly shards: number;
  end(): void;
  summary(): ModelSummary;
  /** Bounds what is on its way to the GPU; throws "out-of-memory" where there was no room for it. */
  settle(): true | null;
  /** After a model or a throw, only `free` may follow. */
  finish(): AnyModel | null;
  /** While `finish` gives null: the pipelines that it waits for. */
  readonly compiled: { done: number; total: number };
  free(): void;
}

/** A LoRA adapter's file on its way to a model. */
export class LoraLoader {
  /** `config`: PEFT's adapter_config.json; without one it is a GGUF file. */
  constructor(model: Model, scale: number, config: string | undefined, file: string, size?: number);
  push(bytes: Uint8Array): void;
  end(): void;
  /** The model with the adapter. After it or a throw, only `free` may follow. */
  finish(): Model | null;
  free(): void;
}

/** By the checkpoint's task. */
export type AnyModel = Model | ImageModel | TextModel | Seq2SeqModel | MatchModel;

export class Model {
  private constructor();
  summary(): ModelSummary;
  /** What generation_config.json suggests. */
  defaults(): GenerateOptions;
  encode(text: string, addSpecial: boolean): Uint32Array;
  decode(ids: Uint32Array, skipSpecial: boolean): string;
  /** The conversation is JSON. */
  applyChatTemplate(chat: string): string;
  encodeChat(chat: string): Uint32Array;
  /** A control token's text. */
  special(id: number): string | undefined;
  /** The template's source: with tools the one for them, where there are several. */
  chatTemplate(withTools: boolean): string;
  vocabulary(): TokenBytes;
  /** The tokens of a text that goes on from another one; undefined where they would write it otherwise. */
  encodeAfter(text: string): Uint32Array | undefined;
  generate(prompt: string | Uint32Array, options: WireGenerateOptions, constraint?: Constraint): Generation;
  /**
   * Goes on with all generations that share the model's passes, until something has happened to one of them: true, and their
   * steps tell. False: there is none that goes on.
   */
  pass(): boolean | null;
  logits(rows: Uint32Array[], last: boolean): Run<TensorF32>;
  attentionMaps(prompt: string | Uint32Array, layer?: number): Run<TensorF32>;
  session(): Session;
  free(): void;
}

export class Session {
  private constructor();
  readonly length: number;
  generate(prompt: string | Uint32Array, options: WireGenerateOptions, constraint?: Constraint): Generation;
  /** Another one of the same tokens; this and the next between passes. */
  copy(): Session;
  /** Gives how many tokens are left. */
  truncate(length: number): number;
  save(): Run<Uint8Array>;
  /** Gives how many tokens it has then. */
  restore(saved: Uint8Array): Run<number>;
  free(): void;
}

/** A model's tokens, as grammars look at them. */
export interface TokenBytes {
  /** What they add to a text, one after the other. */
  bytes: Uint8Array;
  /** Where those of each end: as many as there are logits. */
  ends: Uint32Array;
  /** Those that no text has. */
  special: number[];
  /** Those that end a text. */
  endTokens: number[];
}

/** What a text may say next: the core asks, while a step or a pass is made. */
export interface Constraint {
  /** A bit for each token. */
  allowed(): Uint32Array;
  /** A token has come; gives those that have to follow it, none where `forces` is false. */
  take(id: number, forces: boolean): Uint32Array;
  readonly isOver: boolean;
}

/** One step is one chunk of the prompt or one token. To be begun between passes. */
export class Generation {
  private constructor();
  /** It goes on with the model's passes, of which its steps only tell; else its steps do the work. */
  readonly shares: boolean;
  /** `tokens` is empty while the prompt is read, and while text is held back; `undefined` when it is over. */
  step(): { tokens: GeneratedToken[] } | undefined | null;
  result(aborted: boolean): GenerationResult;
  free(): void;
}

export class ImageModel {
  private constructor();
  summary(): ModelSummary;
  labels(): string[];
  /** [channels, height, width] */
  inputSize(): Uint32Array;
  classify(pictures: Picture[], topK: number): Run<Classification[][]>;
  /** [rows, channels, height, width] */
  pixels(pictures: Picture[]): Run<TensorF32>;
  /** Of pixels: [rows, classes] */
  logits(data: Float32Array, dims: Uint32Array): Run<TensorF32>;
  /** Of pixels: [rows, tokens, width] */
  features(data: Float32Array, dims: Uint32Array): Run<TensorF32>;
  featuresOf(picture: Picture): Run<TensorF32>;
  /** Of pixels: [layers, rows, heads, tokens, tokens] */
  attentionMaps(data: Float32Array, dims: Uint32Array): Run<TensorF32>;
  /** [1, rows, columns] of patches. Without `layer` all of them rolled out, without `head` their mean. */
  attention(picture: Picture, layer?: number, head?: number): Run<TensorF32>;
  free(): void;
}

/** An encoder, with or without a classifier. */
export class TextModel {
  private constructor();
  summary(): ModelSummary;
  labels(): string[];
  /** Values of a text's vector. */
  vectorWidth(): number;
  encode(text: string, addSpecial: boolean): Uint32Array;
  decode(ids: Uint32Array, skipSpecial: boolean): string;
  /** [rows, vectorWidth] */
  embed(texts: WireText[], pooling?: Pooling, normalize?: boolean, prompt?: string, promptName?: string): Run<TensorF32>;
  /** [rows, positions, width] */
  hidden(rows: Uint32Array[]): Run<TensorF32>;
  /** [layers, heads, positions, positions], or of one layer. */
  attentionMaps(text: WireText, layer?: number): Run<TensorF32>;
  classify(texts: WirePair[], topK: number): Run<Classification[][]>;
  classifyTokens(texts: string[], merge: boolean): Run<Omit<TextSpan, "text">[][]>;
  /** `types`: which of two texts each token is of; [rows, classes], or [rows, positions, classes] of a classifier of tokens. */
  logits(rows: Uint32Array[], types?: Uint32Array[]): Run<TensorF32>;
  free(): void;
}

export class Seq2SeqModel {
  private constructor();
  summary(): ModelSummary;
  encode(text: string, addSpecial: boolean): Uint32Array;
  decode(ids: Uint32Array, skipSpecial: boolean): string;
  /** With several beams the tokens come with the last step. */
  generate(prompt: string | Uint32Array, options: WireSeq2SeqOptions): Generation;
  pass(): boolean | null;
  /** [rows, decoder positions, vocabulary] */
  logits(rows: Uint32Array[], decoderRows: Uint32Array[]): Run<TensorF32>;
  free(): void;
}

/** An image tower and a text tower. */
export class MatchModel {
  private constructor();
  summary(): ModelSummary;
  encode(text: string, addSpecial: boolean): Uint32Array;
  decode(ids: Uint32Array, skipSpecial: boolean): string;
  /** [channels, height, width] */
  inputSize(): Uint32Array;
  /** What a cosine is multiplied by. */
  scale(): number;
  /** What is added then, where each text is judged for itself. */
  bias(): number | undefined;
  /** [images, width], unit length; as are all vectors here. */
  embedImages(pictures: Picture[]): Run<TensorF32>;
  embedPixels(data: Float32Array, dims: Uint32Array): Run<TensorF32>;
  embedText(texts: WireText[]): Run<TensorF32>;
  /** [images, texts] */
  logits(data: Float32Array, dims: Uint32Array, rows: Uint32Array[]): Run<TensorF32>;
  free(): void;
}

export interface Run<T> {
  /** `true` while there is more to do. */
  step(): T | true | null;
  free(): void;
}
