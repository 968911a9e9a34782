// What the page and the host (the worker's side) say to each other.

import type { ErrorCode, WireError } from "./errors.js";
import type {
  ChatOptions,
  Classification,
  ConstraintOptions,
  DeviceInfo,
  GeneratedToken,
  GenerateOptions,
  GenerationResult,
  GpuKnobs,
  LoadProgress,
  ModelSummary,
  Pooling,
  Seq2SeqOptions,
  TensorF32,
  TextSpan,
  Tool,
} from "./types.js";

/** `constraint`: what the caller gave of `jsonSchema`, `regex` and `grammar`. */
export type WireGenerateOptions = Omit<GenerateOptions, "signal" | "toolChoice" | keyof ChatOptions | keyof ConstraintOptions> & {
  constraint?: WireConstraint;
  /** Of a prompt of messages. */
  answer?: WireAnswer;
};

/** What an answer may call; `forced`: the tools of which it has to call one. */
export interface WireAnswer {
  tools: Tool[];
  forced?: Tool[];
}

/** What a text has to be, by the option that says it. */
export interface WireConstraint {
  kind: "jsonSchema" | "regex" | "lark" | "gbnf" | "toolChoice";
  text: string;
}

/** An encoder-decoder's. */
export type WireSeq2SeqOptions = Omit<Seq2SeqOptions, "signal">;

export interface WireModelOptions {
  contextLength?: number;
  kvCacheType?: "f32" | "f16" | "q8";
  batch?: number;
  quantize?: "q8_0" | "q4_1";
}

/** What a class of the package is for, and therefore what its models must be. */
export type Task = ModelSummary["task"];

/** A picture as the core takes it: RGBA, 8 bits each, not premultiplied, [height, width, 4]. */
export interface Picture {
  data: Uint8Array;
  width: number;
  height: number;
}

/** A model, once it is there. */
export interface Loaded {
  summary: ModelSummary;
  /** What a language model's checkpoint suggests. */
  defaults?: GenerateOptions;
  /** A classifier's, by index. */
  labels?: string[];
  /** Values of the vector that an encoder makes of a text. */
  vectorWidth?: number;
  /** What images become: [channels, height, width]. */
  inputSize?: [number, number, number];
  /** Of a model that matches images with texts: what it does with a cosine. */
  matching?: Matching;
}

/** With a bias each text is judged for itself (SigLIP); without one they compete (CLIP). */
export interface Matching {
  scale: number;
  bias?: number;
}

export interface WireDownloadOptions {
  cache?: boolean;
  headers?: Record<string, string>;
  credentials?: RequestCredentials;
  integrity?: Record<string, string>;
  /** When a kept copy is compared with its source; a number: when that was longer ago than so many milliseconds. */
  revalidate?: "always" | "never" | number;
  /** What is kept goes by this in place of its address. */
  cacheKey?: string;
  /** How often a request that broke or was refused (429, 5xx) is made again. Default 4; anew where bytes came. */
  retries?: number;
  /** Of the hub; sent to its endpoint's origin alone. */
  token?: string;
  /** Which of several GGUF files, by name or by what it says of its quantisation. */
  file?: string;
  quant?: string;
  /** The caller gave a `fetch`: the page makes the requests ("fetch"). */
  pageFetch?: boolean;
}

/** A request that the page is to make. */
export interface WireRequest {
  method: "GET" | "HEAD";
  headers: Record<string, string>;
  credentials?: RequestCredentials;
  cache?: RequestCache;
}

/** What a `Response` says before its body comes. */
export interface WireResponse {
  status: number;
  statusText: string;
  /** After redirects; "" where the caller's `fetch` does not say. */
  url: string;
  type: ResponseType;
  headers: [name: string, value: string][];
}

/** Where the package's files lie: absolute addresses. */
export interface Assets {
  worker: string;
  thread: string;
  /** The .wasm of each build. */
  simd: string;
  threads: string;
  relaxed: string;
  /** That of the grammars. */
  grammar: string;
}

export interface StartOptions {
  /** The page's. */
  version: string;
  assets: Assets;
  device: "auto" | "webgpu" | "cpu";
  threads?: number;
  powerPreference?: "low-power" | "high-performance";
  gpu?: GpuKnobs;
  /** The host runs on the page's own thread: it takes smaller bites, and no pool. */
  inPage: boolean;
  /** A Web Lock that the worker holds while it lives, so that the page hears of its end. */
  alive?: string;
}

/** The host's answer to its start. */
export interface Started {
  version: string;
  device: DeviceInfo;
}

/** A file of the caller's. Without `blob` the page hands over its bytes as they are asked for ("pull"). */
export interface WireFile {
  name: string;
  blob?: Blob;
  size?: number;
}

export type WireSource =
  /** One GGUF file, or the first of several. */
  | { kind: "url"; url: string }
  /** On a hub: `endpoint` ends in "/"; `path` is "", a folder that ends in "/", or a file. */
  | { kind: "hub"; endpoint: string; repo: string; revision: string; path: string }
  /** Ends in "/". */
  | { kind: "folder"; url: string }
  /** Under Node: a file or a folder, as a path or a file: URL. */
  | { kind: "path"; path: string }
  | { kind: "directory"; handle: FileSystemDirectoryHandle }
  /** One GGUF, or with `folder` whatever the names say. */
  | { kind: "files"; files: WireFile[]; folder: boolean };

/** A conversation and what goes with it, as the core reads it: JSON. */
export interface WireChat {
  chat: string;
}

export type Prompt = string | WireChat | Uint32Array;

/** A text, or its token ids. */
export type WireText = string | Uint32Array;

/** A text, or two seen together. */
export type WirePair = string | [string, string];

/** Every call: what it takes, and what comes back. Ids of models and sessions are chosen by the page. */
export interface Calls {
  start: { takes: StartOptions; gives: Started };
  diagnostics: { takes: Record<string, never>; gives: Diagnostics };
  load: {
    takes: { model: number; task: Task; source: WireSource; options: WireModelOptions; download: WireDownloadOptions };
    gives: Loaded;
  };
  /** A LoRA adapter beside the weights of another model, which stays as it is. */
  adapt: {
    takes: { model: number; of: number; source: WireSource; scale: number; download: WireDownloadOptions };
    gives: Loaded;
  };
  inspect: {
    takes: { source: WireSource; options: WireModelOptions; download?: WireDownloadOptions; fits: boolean };
    gives: ModelSummary;
  };
  disposeModel: { takes: { model: number }; gives: void };
  openSession: { takes: { model: number; session: number }; gives: void };
  disposeSession: { takes: { model: number; session: number }; gives: void };
  /** As bytes, which only this model can read. With a name they are kept, and not given. */
  saveSession: { takes: { model: number; session: number; name?: string }; gives: { data?: Uint8Array } };
  /** A session that was saved. These give how many tokens it has. */
  restoreSession: { takes: { model: number; session: number; saved: Uint8Array }; gives: number };
  /** Another one, of the same tokens. */
  cloneSession: { takes: { model: number; session: number; of: number }; gives: number };
  truncateSession: { takes: { model: number; session: number; length: number }; gives: number };
  generate: {
    takes: { model: number; session?: number; prompt: Prompt; options: WireGenerateOptions & WireSeq2SeqOptions };
    gives: WireGeneration;
  };
  logits: { takes: { model: number; rows: Uint32Array[]; last: boolean }; gives: TensorF32 };
  attentionMaps: { takes: { model: number; prompt: string | Uint32Array; layer?: number }; gives: TensorF32 };
  encode: { takes: { model: number; text: string; addSpecial: boolean }; gives: Uint32Array };
  decode: { takes: { model: number; ids: Uint32Array; skipSpecial: boolean }; gives: string };
  applyChatTemplate: { takes: { model: number } & WireChat; gives: string };
  classify: { takes: { model: number; pictures: Picture[]; topK: number }; gives: Classification[][] };
  pixels: { takes: { model: number; pictures: Picture[] }; gives: TensorF32 };
  imageLogits: { takes: { model: number; pixels: TensorF32 }; gives: TensorF32 };
  imageFeatures: { takes: { model: number; input: TensorF32 | Picture }; gives: TensorF32 };
  imageAttentionMaps: { takes: { model: number; pixels: TensorF32 }; gives: TensorF32 };
  /** Without `layer` all of them rolled out, without `head` their mean: [1, rows, columns]. */
  imageAttention: { takes: { model: number; picture: Picture; layer?: number; head?: number }; gives: TensorF32 };
  /** Without `pooling` and `normalize` as the checkpoint says: [rows, values of a vector]. */
  embed: {
    takes: { model: number; texts: WireText[]; pooling?: Pooling; normalize?: boolean; prompt?: string; promptName?: string };
    gives: TensorF32;
  };
  /** [rows, positions, width] */
  hidden: { takes: { model: number; rows: Uint32Array[] }; gives: TensorF32 };
  textAttentionMaps: { takes: { model: number; text: WireText; layer?: number }; gives: TensorF32 };
  classifyTexts: { takes: { model: number; texts: WirePair[]; topK: number }; gives: Classification[][] };
  /** In UTF-16 units. */
  classifyTokens: { takes: { model: number; texts: string[]; merge: boolean }; gives: Omit<TextSpan, "text">[][] };
  /** [rows, classes], or [rows, positions, classes] of a classifier of tokens. */
  textLogits: { takes: { model: number; rows: Uint32Array[]; types?: Uint32Array[] }; gives: TensorF32 };
  /** [rows, decoder positions, vocabulary] */
  seq2seqLogits: { takes: { model: number; rows: Uint32Array[]; decoderRows: Uint32Array[] }; gives: TensorF32 };
  /** [images, width] */
  embedImages: { takes: { model: number; input: TensorF32 | Picture[] }; gives: TensorF32 };
  /** [texts, width] */
  embedTexts: { takes: { model: number; texts: WireText[] }; gives: TensorF32 };
  /** [images, texts] */
  matchLogits: { takes: { model: number; pixels: TensorF32; rows: Uint32Array[] }; gives: TensorF32 };
}
export type CallName = keyof Calls;

/** What tests and benchmarks want to know of a host. */
export interface Diagnostics {
  /** The size of wasm's memory, which only grows. */
  wasmBytes: number;
  /** Of it, what is allocated now, and the most that ever was. */
  liveBytes: number;
  peakBytes: number;
  models: number;
  /** Of all models. */
  sessions: number;
  /** Calls that the host is at, but for the one that asks. */
  jobs: number;
  /** Bytes of the caller's that were asked for, and have not come. */
  pulls: number;
  /** On several threads. */
  pool?: PoolDiagnostics;
  /** On WebGPU. */
  gpu?: GpuDiagnostics;
}

/** What the threads have done together since the device was opened. */
export interface PoolDiagnostics {
  /** Loops that were there for all threads to join. */
  shared: number;
  /** Loops that one thread ran: too short, or begun after a stall. */
  alone: number;
  wakeUps: number;
  /** Times that the worker fell asleep, since another thread was long at its last task. */
  waits: number;
  /** Of those, the ones after which it worked alone for a while: a busy machine. */
  stalls: number;
}

/** Sums over all models, since the device was opened. */
export interface GpuDiagnostics {
  /** Batches that went through a model: chunks of prompts, and decoded tokens. */
  steps: number;
  dispatches: number;
  passes: number;
  submits: number;
  readBytes: number;
  /** CPU time of generations inside the core: encoding commands, above all. */
  cpuMs: number;
  /** Of the buffers that are alive now. */
  allocatedBytes: number;
  /** By label; empty without `profile`. */
  kernels: Record<string, KernelRuns>;
}

/** What the runs of one kernel come to. */
export interface KernelRuns {
  count: number;
  /** On the GPU; 0 where the device has no "timestamp-query". */
  ms: number;
  /** The least that they could move, and compute. */
  bytes: number;
  operations: number;
}

export interface WireGeneration {
  result: GenerationResult;
  /** Tokens in the session's cache afterwards. */
  sessionLength?: number;
}

type CallMessage = { [K in CallName]: { kind: "call"; id: number; name: K; takes: Calls[K]["takes"] } }[CallName];

export type ToHost =
  | CallMessage
  | { kind: "abort"; id: number; code: "aborted" | "disposed" }
  /** The answer to "pull"; without bytes and error the file is over. */
  | { kind: "piece"; pull: number; bytes?: Uint8Array; error?: WireError }
  /** The answer to "fetch": the response's head, or why there is none. */
  | { kind: "fetched"; fetch: number; response?: WireResponse; error?: WireError }
  /** The answer to "fetchPull"; without bytes and error the body is over. */
  | { kind: "fetchPiece"; fetch: number; bytes?: Uint8Array; error?: WireError }
  /** Free everything; nothing is answered any more. */
  | { kind: "close" };

/** A stranger's program, for call `id`, that reads a text of so many bytes. */
export interface Stranger {
  id: number;
  what: string;
  bytes: number;
}

export type FromHost =
  | { kind: "result"; id: number; value: unknown }
  | { kind: "error"; id: number; error: WireError }
  | { kind: "progress"; id: number; progress: LoadProgress }
  | { kind: "tokens"; id: number; tokens: GeneratedToken[] }
  /** Call `id` wants at most `length` bytes of one of its files. */
  | { kind: "pull"; id: number; pull: number; file: string; offset: number; length: number }
  /** Call `id` has the page make a request. */
  | { kind: "fetch"; id: number; fetch: number; url: string; request: WireRequest }
  /** The next piece of that response's body, of any length. One is asked for at a time. */
  | { kind: "fetchPull"; fetch: number }
  /** Nothing more is wanted of it: the request, or the rest of its body, is to be cancelled. Not answered. */
  | { kind: "fetchCancel"; fetch: number }
  /** A stranger's program is at work in the core, or has ended: nothing is heard meanwhile. */
  | { kind: "stranger"; stranger?: Stranger | undefined }
  /** The wasm instance is dead, and everything in it. */
  | { kind: "died"; error: WireError }
  /** A thread of the pool speaks to the page directly: when it dies, the host waits for it for ever. */
  | { kind: "thread"; port: MessagePort };

/** The host's end of its channel to the page. */
export interface HostPort {
  postMessage(message: FromHost, transfer?: Transferable[]): void;
}
export type HostClass = new (port: HostPort) => { receive(message: ToHost): void };

/** How a thread of the pool joins its host. */
export interface ThreadStart {
  version: string;
  build: "threads" | "relaxed";
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  /** The bytes that the memory may grow to. */
  most: number;
  /** Where the core leaves its notes. */
  notesAt: number;
  stack: number;
  /** Straight to the page. */
  page: MessagePort;
}
/** What the host tells a thread: first how to start, then which one it is. */
export type ToThread = ThreadStart | { index: number };
/** To the host once it has started; to the page when it dies. */
export type FromThread = { kind: "ready" } | { kind: "died"; code: ErrorCode; message: string };

/** How much of a caller's buffer crosses in one message: about a millisecond of copying. */
export const PIECE = 4 << 20;

/** The result of a generation that ended before it began. */
export function nothingMade(): GenerationResult {
  const stats = {
    promptTokens: 0,
    cachedTokens: 0,
    generatedTokens: 0,
    draftedTokens: 0,
    acceptedTokens: 0,
    prefillMs: 0,
    decodeMs: 0,
    firstTokenMs: 0,
    tokensPerSecond: 0,
  };
  return { text: "", tokens: new Uint32Array(), finishReason: "aborted", stats };
}
