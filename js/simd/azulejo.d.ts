// What the Rust core exports through wasm-bindgen, as this package uses it. The JavaScript lies beside the .wasm in dist/.

import type { GeneratedToken, GenerationResult, Message, ModelSummary } from "../types.js";
import type { WireGenerateOptions, WireModelOptions } from "../protocol.js";

export interface InitOptions {
  module_or_path: WebAssembly.Module;
  /** Threads build only. */
  memory?: WebAssembly.Memory;
  thread_stack_size?: number;
}
export default function init(options: InitOptions): Promise<{ memory?: WebAssembly.Memory }>;

/** The panic hook. Once, on the first thread. */
export function start(): void;

/** Every throw is an object { code, message, where? }; a trap is a WebAssembly.RuntimeError. */
export class ModelLoader {
  constructor(format: "gguf" | "safetensors", options: WireModelOptions);
  config(json: string): void;
  tokenizer(json: string, config?: string, chatTemplate?: string): void;
  begin(file: string, size?: number): void;
  push(bytes: Uint8Array): void;
  /** Of the current file: enough for `summary`. */
  readonly headerComplete: boolean;
  /** How many GGUF files belong together. */
  readonly shards: number;
  end(): void;
  summary(): ModelSummary;
  /** Consumes the loader, also where it throws. */
  finish(): Model;
  free(): void;
}

export class Model {
  private constructor();
  summary(): ModelSummary;
  encode(text: string, addSpecial: boolean): Uint32Array;
  decode(ids: Uint32Array, skipSpecial: boolean): string;
  applyChatTemplate(messages: Message[], addGenerationPrompt: boolean): string;
  generate(prompt: string | Uint32Array, options: WireGenerateOptions): GenerationRun;
  logits(rows: Uint32Array[], last: boolean): LogitsRun;
  attentionMaps(prompt: string | Uint32Array, layer?: number): { data: Float32Array; dims: number[] };
  session(): Session;
  free(): void;
}

export class Session {
  private constructor();
  readonly length: number;
  generate(prompt: string | Uint32Array, options: WireGenerateOptions): GenerationRun;
  free(): void;
}

/** One step is one chunk of the prompt or one token. */
export class GenerationRun {
  private constructor();
  /** `tokens` is empty while the prompt is read, and while text is held back; `undefined` when it is over. */
  step(): { tokens: GeneratedToken[] } | undefined;
  result(aborted: boolean): GenerationResult;
  free(): void;
}

export class LogitsRun {
  private constructor();
  /** Whether there is more to do. */
  step(): boolean;
  take(): { data: Float32Array; dims: number[] };
  free(): void;
}
