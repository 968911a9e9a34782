// Names and shapes that a caller sees; nothing here runs.

import type { Engine } from "./engine.js";
import type { GpuKnobs } from "./protocol.js";

export interface EngineOptions {
  /**
   * "auto" (default): WebGPU where a hardware adapter answers, else the CPU; `device.reason` says why. A fallback adapter
   * only by "webgpu".
   */
  device?: "auto" | "webgpu" | "cpu";
  /** CPU threads. Default: all cores where the page is cross-origin isolated, else 1. */
  threads?: number;
  /**
   * Run in a dedicated Worker (default true), so that the page never blocks. "azulejo/in-this-thread" does without where
   * there are none.
   */
  worker?: boolean;
  /** Which of several GPUs. */
  powerPreference?: "low-power" | "high-performance";
  /** @internal For tests and bug hunting. */
  gpu?: GpuKnobs;
  /** Where the package's .wasm and worker files lie, if a bundler moved them. */
  assets?: string | URL;
}

export interface DeviceInfo {
  kind: "webgpu" | "cpu";
  /** e.g. "nvidia / hopper", or "wasm simd128, 4 threads". */
  description: string;
  /** What is in use: "threads", "relaxed-simd", "shader-f16", "subgroups", "timestamp-query", … */
  features: string[];
  /** Why not the better one: "no navigator.gpu", "no adapter", "page is not cross-origin isolated", … */
  reason?: string;
}

/**
 * Where a model comes from. A URL whose path ends in .gguf is one GGUF file (or the first shard of
 * several); a URL whose path ends in "/" is a folder in Hugging Face's layout (config.json,
 * model.safetensors or model.safetensors.index.json and shards, tokenizer.json,
 * preprocessor_config.json, modules.json); "hf:org/name[@revision][/file.gguf]" is on the Hugging Face hub. A record
 * or a list of files is a folder: name → content. Bytes are a GGUF, known by their magic. Under Node a
 * path or file: URL works too. A stream is read once: `inspect` refuses it, and a model that came from
 * one cannot be rebuilt by itself after its worker has died or its GPU was lost. tokenizer.json and
 * preprocessor_config.json may be missing: then whatever needs them rejects with "missing-file", and
 * token ids and pixels still work.
 */
export type ModelSource =
  | string
  | URL
  | Blob
  | ArrayBuffer
  | Uint8Array
  | ReadableStream<Uint8Array>
  | FileSystemDirectoryHandle
  | File[]
  | Record<string, Blob | ArrayBuffer | Uint8Array | string>;

export interface LoadOptions {
  engine?: Engine;
  onProgress?: (p: LoadProgress) => void;
  signal?: AbortSignal;
  /** Keep the downloaded files in the browser (default true); an interrupted download resumes. */
  cache?: boolean;
  /** Turns float weights into that type while they load: a quarter of the memory, faster on the CPU. */
  quantize?: "q8_0" | "q4_1";
  /** For the downloads. */
  headers?: Record<string, string>;
  credentials?: RequestCredentials;
  /** SHA-256 (hex) by file name, checked while downloading. */
  integrity?: Record<string, string>;
}

/** The bytes are those of `file`; of all files together once the stage is "ready". */
export interface LoadProgress {
  stage: "download" | "read" | "upload" | "compile" | "ready";
  file?: string;
  loadedBytes: number;
  totalBytes?: number;
  /** During "compile", on WebGPU. */
  pipelines?: { done: number; total: number };
}

export interface CausalLMOptions extends LoadOptions {
  contextLength?: number;
  /** Defaults to "f16". */
  kvCacheType?: "f32" | "f16" | "q8";
}

export interface InspectOptions {
  engine?: Engine;
  contextLength?: number;
  batch?: number;
  signal?: AbortSignal;
}

export interface ModelSummary {
  /** "llama", "vit", "bert", … */
  architecture: string;
  task:
    "causal-lm" | "image-classification" | "text-embedding" | "text-classification" | "seq2seq" | "image-text-matching";
  parameters: number;
  /** What it is made of, kind by kind: "embedding", "attention", …; bytes on the engine's device. */
  parts: { name: string; parameters: number; bytes: number }[];
  /** Tensors by type, e.g. { Q4_1: 210, F32: 61 }. */
  quantization: Record<string, number>;
  layers: number;
  width: number;
  heads: number;
  kvHeads: number;
  contextLength: number;
  vocabularySize?: number;
  /** Bytes on the engine's device. */
  memory: { weights: number; kvCache: number; activations: number; total: number };
  /** Against that device's limits, with the reason in `why` where not. */
  fits?: boolean;
  why?: string;
  /** The block, as data: positions, attention, norms, residuals, feed-forward. What a diagram needs. */
  spec: object;
}

export interface Message {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
}

export interface GenerateOptions {
  /** Default: until the end token or the context's end. */
  maxTokens?: number;
  /** Default 0: greedy. */
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  presencePenalty?: number;
  frequencyPenalty?: number;
  logitBias?: Record<number, number>;
  /** Same seed, same device: same text. */
  seed?: number;
  /** Never part of the text. */
  stop?: string[];
  /** Go on past the end token (benchmarks). */
  ignoreEnd?: boolean;
  /** That many best alternatives with each token. */
  logprobs?: number;
  /** Output that always parses. This version rejects it: not supported yet. */
  jsonSchema?: object;
  /** Output that always parses. This version rejects it: not supported yet. */
  grammar?: string;
  /** Ends the generation; what was made stays, finishReason "aborted". */
  signal?: AbortSignal;
}

export interface Seq2SeqOptions extends GenerateOptions {
  /**
   * From 1 (default) to 16: so many continuations are followed at once, and the likeliest is told when all have ended
   * (beam search); iterating then gives its tokens at the end. Several go with neither `temperature` nor `logprobs`.
   */
  beams?: number;
}

/**
 * Await it for the whole result, or iterate it for the tokens as they come. Work starts at the call.
 * Leaving a `for await` early ends the generation, as `signal` does. At the context's end it stops
 * with finishReason "length". Iterating without awaiting raises no unhandled rejection.
 */
export interface Generation extends Promise<GenerationResult>, AsyncIterable<GeneratedToken> {}

export interface GeneratedToken {
  id: number;
  text: string;
  logprob?: number;
  alternatives?: { id: number; text: string; logprob: number }[];
}

export interface GenerationResult {
  text: string;
  tokens: Uint32Array;
  finishReason: "end" | "stop" | "length" | "aborted";
  stats: {
    promptTokens: number;
    cachedTokens: number;
    generatedTokens: number;
    prefillMs: number;
    decodeMs: number;
    firstTokenMs: number;
    tokensPerSecond: number;
  };
}

export interface Tokenizer {
  encode(text: string, options?: { addSpecial?: boolean }): Promise<Uint32Array>;
  decode(ids: ArrayLike<number>, options?: { skipSpecial?: boolean }): Promise<string>;
  applyChatTemplate(messages: Message[], options?: { addGenerationPrompt?: boolean }): Promise<string>;
}

/** A conversation that keeps its KV cache between calls. */
export interface Session {
  /** The prompt is the whole conversation so far; the part that the cache already holds is not computed again. */
  generate(prompt: string | Message[] | ArrayLike<number>, options?: GenerateOptions): Generation;
  /** Tokens in the cache. */
  readonly length: number;
  save(): Promise<Blob>;
  dispose(): Promise<void>;
}

/**
 * Anything that shows a picture. A URL, a Blob or an element is decoded by the browser, turned upright as its EXIF
 * orientation says. Bytes are rows from the top, 8 bits a channel: RGBA (not premultiplied), RGB or grey, told apart by
 * their number. A video gives its current frame. A side has at most 16,384 pixels. What is passed in is only read.
 * Where there is no browser to decode, as under Node, bytes and what has their shape still work.
 */
export type ImageInput =
  | ImageBitmapSource
  | ImageData
  | string
  | URL
  | { data: Uint8ClampedArray | Uint8Array; width: number; height: number };

export interface ClassifyOptions {
  /** How many of the best classes, best first. Default 5; never more than there are. */
  topK?: number;
  signal?: AbortSignal;
}

export interface PatchOptions extends ClassifyOptions {
  /** A window's side in pixels of the image. Default: the model's own input size. */
  size?: number;
  /** From one window to the next. Default: windows that touch. */
  stride?: number;
  /** Windows that are classified together. Default 16. */
  batch?: number;
  /** After each batch, in windows. */
  onProgress?: (done: number, total: number) => void;
}

export interface AttentionOptions {
  /** Default "rollout": through all layers, as Abnar and Zuidema (2020) multiply them up. */
  layer?: number | "rollout";
  /** Default "mean": of all heads. */
  head?: number | "mean";
  signal?: AbortSignal;
}

export interface Classification {
  label: string;
  index: number;
  /** A probability: softmax over the classes, or sigmoid where a model judges each for itself (SigLIP). */
  score: number;
}

/** A window of an image and what it shows; in pixels of the image. */
export interface Patch {
  x: number;
  y: number;
  width: number;
  height: number;
  best: Classification[];
}

/** What a class looks like in `PatchMap.toImageData`. */
export interface LegendEntry {
  label: string;
  index: number;
  /** A CSS colour. */
  color: string;
  /** How many patches show this class before all others. */
  patches: number;
}

export interface PatchMap {
  rows: number;
  columns: number;
  /** Row by row. The last of a row or column ends at the image's edge, and overlaps the one before if it has to. */
  patches: Patch[];
  /** The classes that came first in some patch, the most frequent first. */
  legend: LegendEntry[];
  /**
   * To be stretched over the image: each patch in its class's colour, the more opaque the surer. With `label`, how likely
   * that class is at each place; a patch that does not have it among its `best` counts as 0. The longer side has at most
   * 1,024 pixels.
   */
  toImageData(options?: { label?: string }): ImageData;
}

export interface Heatmap {
  rows: number;
  columns: number;
  /** [rows, columns] */
  values: Float32Array;
  /** To be laid over the image: smooth, the more opaque the higher. Default: 16 pixels for each value. */
  toImageData(width?: number, height?: number): ImageData;
}

export interface BatchOptions {
  /** After each batch. */
  onProgress?: (done: number, total: number) => void;
  /** An abort ends it within a batch. */
  signal?: AbortSignal;
}

/** What becomes of the vectors of a text's tokens: their mean, the first one's, or what the model's pooler makes of that. */
export type Pooling = "mean" | "cls" | "pooler";

export interface EmbedOptions extends BatchOptions {
  /** Default: as the checkpoint says (modules.json), else the mean. */
  pooling?: Pooling;
  /** Whether vectors get unit length. Default: true. */
  normalize?: boolean;
}

export interface ClassifyTextOptions extends BatchOptions {
  /** How many of the best classes, best first. Default 5; never more than there are. */
  topK?: number;
}

export interface MatchOptions {
  /** What becomes of a label: "{}" stands for it. Default "This is a photo of {}.". */
  template?: string;
  signal?: AbortSignal;
}

export interface TensorF32 {
  data: Float32Array;
  dims: number[];
}

/** A file that the package keeps in the browser. */
export interface CachedFile {
  url: string;
  bytes: number;
  complete: boolean;
}
