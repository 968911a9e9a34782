// What loads take. Nothing here runs.

import type { Credentials, EngineOptions, Fetch, LoadProgress, RemoteOptions } from "../shared/types.js";
import type { Engine } from "./engine.js";

/** Of every class's `load`: where files come from, what is kept of them, and which engine computes. */
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
  /**
   * Turns float weights into that type while they load: a quarter of the memory or less, faster on the CPU.
   * @defaultValue they stay as they are
   */
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
  /**
   * Where the model goes if `inspect` says that it does not fit this device. `server` of what is loaded then tells where it
   * is and why; an `onProgress` hears of it too.
   */
  fallback?: RemoteOptions | undefined;
}

/** Of `CausalLM.load`. */
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

/** What `withAdapter` takes; but for `scale` all means what it means for `load`. */
export interface AdapterOptions
  extends Pick<
    LoadOptions,
    | "onProgress" | "signal" | "headers" | "credentials" | "integrity" | "retries" | "token" | "endpoint" | "file" | "quant"
    | "fetch" | "cache" | "revalidate" | "cacheKey"
  > {
  /**
   * Multiplies what the adapter adds: 0 is the model as it was, and less turns it round.
   * @defaultValue 1
   */
  scale?: number | undefined;
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
  /** Ends the call: it rejects with code "aborted", whose `cause` is the signal's reason. */
  signal?: AbortSignal | undefined;
}
