// What engines take, and what is told of them and of models. Nothing here runs.

import type { Spec } from "./spec.js";

/** @internal A GPU made out to be less than it is, or watched. */
export interface GpuKnobs {
  /** Features not to be used: "subgroups", "shader-f16", "timestamp-query"; or the size of subgroups, "subgroup-size". */
  without?: string[];
  /** WebGPU's default limits, and no optional feature. */
  basicLimits?: boolean;
  /**
   * Multiplies quantised weights by inputs of 8 bits (`dot4I8Packed`), in prompts: on hardware with such an instruction
   * it does less, at some accuracy: the head of shaders/tiles_bytes.wgsl has what it costs.
   */
  integerDot?: boolean;
  /** Times each kernel: every dispatch then has a compute pass of its own, which takes longer. */
  profile?: boolean;
  /**
   * Threads that share a row of a matrix, a power of two from 4 to 128, in place of what suits the GPU: to see on one
   * what others do.
   */
  lanes?: number;
  /**
   * Whether ways of the kernels are measured on this GPU and kept, which takes a second or two the first time: true, or
   * "anew" where what was kept is not to count; false: not even what was kept counts.
   * @defaultValue true where the adapter is hardware and nothing else is set here
   */
  tuning?: boolean | "anew";
}

/** Of `Engine.create`. */
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
  /**
   * Which of several GPUs, as WebGPU's `requestAdapter` takes it.
   * @defaultValue the browser's choice
   */
  powerPreference?: "low-power" | "high-performance" | undefined;
  /** @internal For tests and bug hunting. */
  gpu?: GpuKnobs | undefined;
  /**
   * The folder that the package's .wasm and worker files lie in, if a bundler moved them.
   * @defaultValue beside the module itself
   */
  assets?: string | URL | undefined;
}

/** What an engine computes on. */
export interface DeviceInfo {
  /** The GPU through WebGPU, or WebAssembly. */
  kind: "webgpu" | "cpu";
  /** e.g. "nvidia / hopper", or "wasm simd128, 4 threads". */
  description: string;
  /** What is in use: "threads", "relaxed-simd", "shader-f16", "subgroups", "timestamp-query", … */
  features: string[];
  /** Why not the better one: "no navigator.gpu", "no adapter", "page is not cross-origin isolated", … */
  reason?: string | undefined;
  /** On WebGPU: which ways of its kernels are the quickest on this GPU. Nothing where none were measured. */
  tuning?: KernelTuning | undefined;
}

/** What of a few ways of each of the main kernels was found on a GPU. They give the same numbers but for rounding. */
export interface KernelTuning {
  /** The way that each kernel takes, for one token and for a prompt's. */
  choices: { oneRow: string; manyRows: string };
  /** Of each kernel that there was time for, what each way took of the default one's time. */
  measured: Record<string, Record<string, number>>;
  /** Milliseconds that it took to measure them. */
  ms: number;
  /** They were measured earlier, and kept beside the downloads. */
  kept: boolean;
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

/** The bytes are those of `file`; of all files together once the stage is "ready". */
export interface LoadProgress {
  /** From the network; from a kept copy or the caller's own; to the GPU; its kernels; done. */
  stage: "download" | "read" | "upload" | "compile" | "ready";
  /** Its name; none of all files together. */
  file?: string | undefined;
  /** That are there by now. */
  loadedBytes: number;
  /** That there will be, where that is known. */
  totalBytes?: number | undefined;
  /** What is worth knowing of a file: that a kept copy is used because nobody answered, that a request is made again, … */
  note?: string | undefined;
  /** During "compile", on WebGPU. */
  pipelines?: { done: number; total: number } | undefined;
}

/** What a model is, and what it takes: known from its header alone, before any weight is read. */
export interface ModelSummary {
  /** "llama", "vit", "bert", … */
  architecture: string;
  /** What it is for, and so which class loads it. */
  task:
    | "causal-lm"
    | "image-classification"
    | "text-embedding"
    | "text-classification"
    | "token-classification"
    | "seq2seq"
    | "image-text-matching";
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
  /** Where it does not fit: what is too large for what. */
  why?: string | undefined;
  /** The block, as data: positions, attention, norms, residuals, feed-forward. What a diagram needs. */
  spec: Spec;
}

/** A file that the package keeps in the browser. */
export interface CachedFile {
  /** Where it came from. */
  url: string;
  /** That are kept of it. */
  bytes: number;
  /** Whether that is all of it; else a download was broken off, and the next load takes it up. */
  complete: boolean;
  /** By a load. What was used longest ago goes first where there is no room. */
  lastUsed: Date;
}
