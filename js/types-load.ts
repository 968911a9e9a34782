// What engines and loads take, and what is told of models. Nothing here runs.

import type { Credentials, Fetch } from "./dom-types.js";
import type { Engine } from "./engine.js";
import type { GpuKnobs } from "./protocol.js";
import type { Spec } from "./spec.js";

export interface EngineOptions {
  /**
   * "auto": WebGPU where a hardware adapter answers, else the CPU; `device.reason` says why. A fallback adapter only by
   * "webgpu".
   * @defaultValue "auto"
   */
  device?: "auto" | "webgpu" | "cpu" | undefined;
  /**
   * CPU threads.
   * @defaultValue all cores where the page is cross-origin isolated, else 1
   */
  threads?: number | undefined;
  /**
   * Run in a dedicated Worker, so that the page never blocks. "azulejo/in-this-thread" does without where there are none.
   * @defaultValue true
   */
  worker?: boolean | undefined;
  /** Which of several GPUs. */
  powerPreference?: "low-power" | "high-performance" | undefined;
  /** @internal For tests and bug hunting. */
  gpu?: GpuKnobs | undefined;
  /** Where the package's .wasm and worker files lie, if a bundler moved them. */
  assets?: string | URL | undefined;
}

export interface DeviceInfo {
  kind: "webgpu" | "cpu";
  /** e.g. "nvidia / hopper", or "wasm simd128, 4 threads". */
  description: string;
  /** What is in use: "threads", "relaxed-simd", "shader-f16", "subgroups", "timestamp-query", … */
  features: string[];
  /** Why not the better one: "no navigator.gpu", "no adapter", "page is not cross-origin isolated", … */
  reason?: string | undefined;
}

/**
 * Where a model comes from. A URL whose path ends in .gguf is one GGUF file (or the first shard of
 * several); a URL whose path ends in "/" is a folder in Hugging Face's layout (config.json,
 * model.safetensors or model.safetensors.index.json and shards, tokenizer.json,
 * preprocessor_config.json, modules.json); "hf:org/name[@revision][/folder/ or /file.gguf]" is on
 * the Hugging Face hub, and so is an address that was copied from its pages. A record
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
  /**
   * Whose device and worker it shares.
   * @defaultValue one that all models without an engine share, for each `device`
   */
  engine?: Engine | undefined;
  /**
   * The device of the engine that is made where no `engine` is given.
   * @defaultValue "auto"
   */
  device?: EngineOptions["device"] | undefined;
  /** While it loads; also when it is loaded again after its worker has died. */
  onProgress?: ((p: LoadProgress) => void) | undefined;
  /** Ends the load: it rejects with code "aborted", whose `cause` is the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * Keep the downloaded files; an interrupted download resumes.
   * @defaultValue true
   */
  cache?: boolean | undefined;
  /** Turns float weights into that type while they load: a quarter of the memory, faster on the CPU. */
  quantize?: "q8_0" | "q4_1" | undefined;
  /** For the downloads, with every request. */
  headers?: Record<string, string> | undefined;
  /** For the downloads, as `fetch` has it. */
  credentials?: Credentials | undefined;
  /** SHA-256 (hex) by file name, checked while downloading. */
  integrity?: Record<string, string> | undefined;
  /**
   * When a kept copy is compared with its source: at each load, never, or when it is older than so many milliseconds.
   * An address with a commit hash is never asked again.
   * @defaultValue "always"
   */
  revalidate?: "always" | "never" | number | undefined;
  /**
   * What the copy is kept under, where the address changes (signed ones).
   * @defaultValue the address
   */
  cacheKey?: string | undefined;
  /**
   * How often a request that broke or was refused for now (429, 503, 5xx) is made again, with growing pauses.
   * @defaultValue 4
   */
  retries?: number | undefined;
  /** Of the hub, for models that not everybody may read. It goes to the endpoint alone. */
  token?: string | undefined;
  /**
   * Another hub than Hugging Face's: a mirror, a server of one's own.
   * @defaultValue "https://huggingface.co/"
   */
  endpoint?: string | undefined;
  /** Which of several GGUF files, by its name. */
  file?: string | undefined;
  /** Which of several GGUF files, by its quantisation: "Q4_K_M". */
  quant?: string | undefined;
  /** In place of the global `fetch`: it is called on the page. */
  fetch?: Fetch | undefined;
}

/** The bytes are those of `file`; of all files together once the stage is "ready". */
export interface LoadProgress {
  /** From the network; from a kept copy or the caller's own; to the GPU; its kernels; done. */
  stage: "download" | "read" | "upload" | "compile" | "ready";
  file?: string | undefined;
  loadedBytes: number;
  totalBytes?: number | undefined;
  /** What is worth knowing of a file: that a kept copy is used because nobody answered, that a request is made again, … */
  note?: string | undefined;
  /** During "compile", on WebGPU. */
  pipelines?: { done: number; total: number } | undefined;
}

export interface CausalLMOptions extends LoadOptions {
  /**
   * In tokens: how long a conversation may become.
   * @defaultValue what the model was made for
   */
  contextLength?: number | undefined;
  /**
   * The type of the KV cache's values.
   * @defaultValue "f16"
   */
  kvCacheType?: "f32" | "f16" | "q8" | undefined;
}

/** Those of `load` that say where and how its header is read mean the same. */
export interface InspectOptions
  extends Pick<
    LoadOptions,
    | "engine" | "device" | "headers" | "credentials" | "retries" | "token" | "endpoint" | "file" | "quant" | "fetch"
    | "cache" | "revalidate" | "cacheKey"
  > {
  /**
   * In tokens; what `memory` is told for.
   * @defaultValue what the model was made for
   */
  contextLength?: number | undefined;
  /**
   * Sequences or images at a time; what `memory` is told for.
   * @defaultValue 1
   */
  batch?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface ModelSummary {
  /** "llama", "vit", "bert", … */
  architecture: string;
  /** What it is for, and so which class loads it. */
  task:
    "causal-lm" | "image-classification" | "text-embedding" | "text-classification" | "seq2seq" | "image-text-matching";
  /** How many numbers its weights are. */
  parameters: number;
  /** What it is made of, kind by kind: "embedding", "attention", …; bytes on the engine's device. */
  parts: { name: string; parameters: number; bytes: number }[];
  /** Tensors by type, e.g. { Q4_1: 210, F32: 61 }. */
  quantization: Record<string, number>;
  /** Blocks, one after the other. */
  layers: number;
  /** Values per token between the blocks. */
  width: number;
  /** Of attention, in each layer. */
  heads: number;
  /** Heads of keys and values: fewer where several heads share one. */
  kvHeads: number;
  /** In tokens: what it was made for, or the `contextLength` it was loaded with. */
  contextLength: number;
  /** Token ids that there are; none of images. */
  vocabularySize?: number | undefined;
  /** Bytes on the engine's device; the cache's at the full context length. */
  memory: { weights: number; kvCache: number; activations: number; total: number };
  /** What the checkpoint leaves open and had to be assumed, in words. Of its tokenizer once it is loaded. */
  warnings: string[];
  /** Against that device's limits, with the reason in `why` where not. */
  fits?: boolean | undefined;
  why?: string | undefined;
  /** The block, as data: positions, attention, norms, residuals, feed-forward. What a diagram needs. */
  spec: Spec;
}

/** A file that the package keeps in the browser. */
export interface CachedFile {
  url: string;
  bytes: number;
  complete: boolean;
  lastUsed: Date;
}
