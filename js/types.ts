// Names and shapes that a caller sees; nothing here runs.

import type { BitmapSource, Credentials, Fetch } from "./dom-types.js";
import type { Engine } from "./engine.js";
import type { GpuKnobs } from "./protocol.js";
import type { Spec } from "./spec.js";

export type { BitmapSource, Credentials, Fetch, FetchAnswer, FetchInit } from "./dom-types.js";
export type { Spec } from "./spec.js";

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

export interface Message {
  role: "system" | "developer" | "user" | "assistant" | "tool";
  /** `null`: nothing but tool calls, say. Parts are handed to templates that know them, and are one text for others. */
  content: string | ContentPart[] | null;
  name?: string | undefined;
  /** What the model thought before it answered; whether the prompt has it is the template's choice. */
  reasoning?: string | undefined;
  toolCalls?: ToolCall[] | undefined;
  /** Of a tool's answer: which call it answers. */
  toolCallId?: string | undefined;
}

/** A part of a message. Images are refused with "unsupported-model". */
export type ContentPart = { type: "text"; text: string } | { type: "image"; image: ImageInput };

/** What the model may call; `parameters` is a JSON Schema. */
export interface Tool {
  name: string;
  description?: string | undefined;
  parameters?: object | undefined;
}

/** What the model has called. */
export interface ToolCall {
  id?: string | undefined;
  name: string;
  arguments?: unknown;
}

/** Of prompts that are messages. */
export interface ChatOptions {
  /** For the chat template, which tells the model of them; one that knows no tools refuses them. */
  tools?: Tool[] | undefined;
  /** Variables of the chat template: `{ enable_thinking: false }`. One that it does not have is refused. */
  templateOptions?: Record<string, unknown> | undefined;
  /**
   * Control tokens that the messages or the tools spell out (`<|im_end|>`) count as such: whoever writes a message can
   * then end its turn and forge others.
   * @defaultValue false
   */
  allowSpecial?: boolean | undefined;
}

export interface ChatTemplateOptions extends ChatOptions {
  /**
   * The prompt ends with the beginning of the answer.
   * @defaultValue true
   */
  addGenerationPrompt?: boolean | undefined;
}

export interface GenerateOptions extends ChatOptions {
  /**
   * How many tokens at most.
   * @defaultValue until the end token or the context's end
   */
  maxTokens?: number | undefined;
  /**
   * 0 takes the best token; the higher, the more even the draw. It reshapes what the options below have left.
   * @defaultValue 0
   */
  temperature?: number | undefined;
  /**
   * Only so many of the best tokens; 0: all.
   * @defaultValue 0
   */
  topK?: number | undefined;
  /**
   * Only the best tokens that together have this share of what `topK` left, 0 to 1.
   * @defaultValue 1
   */
  topP?: number | undefined;
  /**
   * Only tokens that have at least this share of the best one's probability, 0 to 1.
   * @defaultValue 0
   */
  minP?: number | undefined;
  /**
   * Tokens of the prompt and the text become less likely above 1, more likely below, as transformers has it.
   * @defaultValue 1
   */
  repetitionPenalty?: number | undefined;
  /**
   * Taken from the logit of each token that the text has already.
   * @defaultValue 0
   */
  presencePenalty?: number | undefined;
  /**
   * Taken from the logit of each token as often as the text has it.
   * @defaultValue 0
   */
  frequencyPenalty?: number | undefined;
  /** Added to the logits of these token ids, before all else. */
  logitBias?: Record<number, number> | undefined;
  /**
   * For the draws. Seed, position and token decide each: devices whose logits agree draw the same text, with a cache and
   * without, with `logprobs` and without.
   */
  seed?: number | undefined;
  /** Never part of the text. */
  stop?: string[] | undefined;
  /** Go on past the end token (benchmarks). */
  ignoreEnd?: boolean | undefined;
  /** That many best alternatives with each token. */
  logprobs?: number | undefined;
  /**
   * The text does not end before it has so many tokens.
   * @defaultValue 0
   */
  minTokens?: number | undefined;
  /**
   * Runs of so many tokens come once only in prompt and text, as transformers' no_repeat_ngram_size has it; 0: they may
   * come again. On WebGPU each token's logits then come to the CPU.
   * @defaultValue 0
   */
  noRepeatNgram?: number | undefined;
  /**
   * Where an option is not given, what the checkpoint's generation_config.json suggests takes its place: see
   * `CausalLM.defaults`. Refused where the file asks for what this package lacks.
   * @defaultValue false
   */
  useDefaults?: boolean | undefined;
  /** Ends the generation; what was made stays, finishReason "aborted". */
  signal?: AbortSignal | undefined;
}

/** Where an option is not given, what the checkpoint's generation_config.json says counts: beams, lengths, penalties. */
export interface Seq2SeqOptions extends Omit<GenerateOptions, keyof ChatOptions> {
  /**
   * From 1 to 16: so many continuations are followed at once, and the likeliest is told when all have ended (beam
   * search); iterating then gives its tokens at the end. Several go with none of `temperature`, `topK`, `topP`, `minP` and
   * `logprobs`.
   * @defaultValue what generation_config.json says, else 1; 1 with `temperature` or `logprobs`
   */
  beams?: number | undefined;
  /**
   * Of several beams: each text's score is divided by its length to this power, so that larger ones favour longer texts.
   * @defaultValue what generation_config.json says, else 1
   */
  lengthPenalty?: number | undefined;
  /**
   * Of several beams: whether the search is over as soon as there are as many texts as beams (true), when a better one is
   * unlikely (false), or impossible ("never").
   * @defaultValue what generation_config.json says, else false
   */
  earlyStopping?: boolean | "never" | undefined;
}

/**
 * Await it for the whole result, or iterate it for the tokens as they come. Work starts at the call.
 * Leaving a `for await` early ends the generation, as `signal` does. At the context's end it stops
 * with finishReason "length". Iterating without awaiting raises no unhandled rejection.
 *
 * It is a thenable: an async function that returns a Generation returns its result, and what `then`, `catch` and
 * `finally` give is a plain promise. Hand on `stream()` instead, or the Generation inside of an object.
 */
export interface Generation extends Promise<GenerationResult>, AsyncIterable<GeneratedToken> {
  /**
   * The text as it comes. Cancelling it ends the generation; a failure is the stream's error. For a Response, which is
   * bytes: `new Response(generation.stream().pipeThrough(new TextEncoderStream()))`.
   */
  stream(): ReadableStream<string>;
  /** The whole text, once it is there. */
  text(): Promise<string>;
}

export interface GeneratedToken {
  id: number;
  /** What it adds to the text: "" for a part of a character, or while a stop string may be coming. */
  text: string;
  /** Of the model's own distribution, before bias, penalties and all else; where `logprobs` asks for it. */
  logprob?: number | undefined;
  /** Best first. */
  alternatives?: { id: number; text: string; logprob: number }[] | undefined;
}

export interface GenerationResult {
  text: string;
  tokens: Uint32Array;
  /** The end token, a stop string, `maxTokens` or the context's end, or the signal. */
  finishReason: "end" | "stop" | "length" | "aborted";
  stats: {
    /** Of the whole prompt. */
    promptTokens: number;
    /** Those of the prompt that the session's cache had already. */
    cachedTokens: number;
    generatedTokens: number;
    /** From the start of its turn to the first token. */
    prefillMs: number;
    /** From the first token to the last. */
    decodeMs: number;
    firstTokenMs: number;
    /** Of decoding; 0 where there was one token or none. */
    tokensPerSecond: number;
  };
}

export interface Tokenizer {
  /** `addSpecial` (default true): with the special tokens that the tokenizer puts around a text. */
  encode(text: string, options?: { addSpecial?: boolean | undefined }): Promise<Uint32Array>;
  /** `skipSpecial` (default true): without special tokens. */
  decode(ids: ArrayLike<number>, options?: { skipSpecial?: boolean | undefined }): Promise<string>;
  /**
   * The prompt as text, for looking at. `generate` takes the messages themselves, and keeps what they spell out text: in one
   * string a forged control token could not be told from the template's own, so it is refused, unless `allowSpecial`.
   */
  applyChatTemplate(messages: Message[], options?: ChatTemplateOptions): Promise<string>;
}

/** A conversation that keeps its KV cache between calls. */
export interface Session {
  /** The prompt is the whole conversation so far; the part that the cache already holds is not computed again. */
  generate(prompt: string | Message[] | ArrayLike<number>, options?: GenerateOptions): Generation;
  /** Tokens in the cache. */
  readonly length: number;
  /** This version rejects: not supported yet. */
  save(): Promise<Blob>;
  /** Frees its cache, and ends what it generates. A session that nobody holds is freed too. */
  dispose(): Promise<void>;
  /** `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Anything that shows a picture. A URL, a Blob or an element is decoded by the browser, turned upright as its EXIF
 * orientation says (that of a WebP file only where the browser heeds it, which Chromium does not). Bytes are rows from the
 * top, 8 bits a channel: RGBA (not premultiplied), RGB or grey, told apart by their number. A video gives its current
 * frame. A side has at most 16,384 pixels. What is passed in is only read.
 * Where there is no browser to decode, as under Node, bytes and what has their shape still work.
 */
export type ImageInput =
  | BitmapSource
  | string
  | URL
  | { data: Uint8ClampedArray | Uint8Array; width: number; height: number };

/** Of calls that take nothing else. An abort rejects with code "aborted", whose `cause` is the signal's reason. */
export interface SignalOptions {
  signal?: AbortSignal | undefined;
}

export interface LayerOptions extends SignalOptions {
  /**
   * Of one layer only, counted from 0.
   * @defaultValue all of them
   */
  layer?: number | undefined;
}

export interface ClassifyOptions {
  /** How many of the best classes, best first. Default 5; never more than there are. */
  topK?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface PatchOptions extends ClassifyOptions {
  /** A window's side in pixels of the image. Default: the model's own input size. */
  size?: number | undefined;
  /** From one window to the next. Default: windows that touch. */
  stride?: number | undefined;
  /** Windows that are classified together. Default 16. */
  batch?: number | undefined;
  /** After each batch, in windows. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface AttentionOptions {
  /** Default "rollout": through all layers, as Abnar and Zuidema (2020) multiply them up. */
  layer?: number | "rollout" | undefined;
  /** Default "mean": of all heads. */
  head?: number | "mean" | undefined;
  signal?: AbortSignal | undefined;
}

export interface Classification {
  label: string;
  index: number;
  /**
   * A probability: softmax over the classes, or sigmoid where a model judges each for itself (several labels, one class,
   * SigLIP); or the value itself, where the checkpoint is a regression.
   */
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
  toImageData(options?: { label?: string | undefined }): ImageData;
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
  onProgress?: ((done: number, total: number) => void) | undefined;
  /** An abort ends it within a batch. */
  signal?: AbortSignal | undefined;
}

/** What becomes of the vectors of a text's tokens: their mean, the first or the last one's, or what the model's pooler makes of the first. */
export type Pooling = "mean" | "cls" | "pooler" | "last";

export interface EmbedOptions extends BatchOptions {
  /** Default: as the checkpoint says (modules.json), else the mean. */
  pooling?: Pooling | undefined;
  /** Whether vectors get unit length. Default: true. */
  normalize?: boolean | undefined;
  /** What stands before each text, "" for nothing. Default: what the checkpoint has by itself (default_prompt_name). */
  prompt?: string | undefined;
  /** A prompt of the checkpoint's own (config_sentence_transformers.json) by its name: "query", "document", … */
  promptName?: string | undefined;
}

export interface ClassifyTextOptions extends BatchOptions {
  /** How many of the best classes, best first. Default 5; never more than there are. */
  topK?: number | undefined;
}

export interface TextLogitsOptions extends SignalOptions {
  /** For each row of tokens, or the one, which of two texts each token is of: 0 or 1. Default: all of the first. */
  tokenTypes?: ArrayLike<number> | ArrayLike<number>[] | undefined;
}

export interface MatchOptions {
  /** What becomes of a label: "{}" stands for it. Default "This is a photo of {}.". */
  template?: string | undefined;
  signal?: AbortSignal | undefined;
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
  lastUsed: Date;
}
