// What `load` and `inspect` take, checked and sorted by who needs it.

import { checkRemote } from "../remote/options.js";
import { invalid } from "../shared/errors.js";
import type { WireDownloadOptions, WireModelOptions } from "../shared/protocol.js";
import type { Fetch, RemoteOptions } from "../shared/types.js";
import { Engine, readDevice } from "./engine.js";
import { oneOf, optionsOf } from "./options.js";
import { HUB } from "./source-hub.js";
import { absolute } from "./source.js";
import type { AdapterOptions, CausalLMOptions, InspectOptions, LoadOptions } from "./types-load.js";
import { checkFlag, checkFunction, checkHeaders, checkLiveSignal, checkName, checkStrings, checkText, count, counted, describe } from "./validate.js";

/** How files are fetched and kept, and which. */
const DOWNLOAD = {
  headers: checkHeaders,
  credentials: oneOf("omit", "same-origin", "include"),
  retries: count(0),
  token: checkToken,
  endpoint: checkEndpoint,
  file: checkName,
  quant: checkName,
  fetch: checkFunction<Fetch>,
  cache: checkFlag,
  revalidate: checkRevalidate,
  cacheKey: checkName,
};

const LOAD = {
  engine: checkEngine,
  device: readDevice,
  onProgress: checkFunction<NonNullable<LoadOptions["onProgress"]>>,
  quantize: oneOf("q8_0", "q4_1"),
  integrity: checkDigests,
  ...DOWNLOAD,
  fallback: checkRemote,
  signal: checkLiveSignal,
};

const readLoad = optionsOf<LoadOptions>("load", LOAD);
const readCausalLM = optionsOf<CausalLMOptions>("CausalLM.load", {
  contextLength: counted(1),
  kvCacheType: oneOf("f32", "f16", "q8"),
  ...LOAD,
});
const readInspect = optionsOf<InspectOptions>("inspect", {
  engine: checkEngine,
  device: readDevice,
  contextLength: counted(1),
  batch: counted(1),
  ...DOWNLOAD,
  signal: checkLiveSignal,
});

const readAdapter = optionsOf<AdapterOptions>("withAdapter", {
  scale: checkScale,
  onProgress: LOAD.onProgress,
  integrity: LOAD.integrity,
  ...DOWNLOAD,
  signal: checkLiveSignal,
});

/** What an adapter is loaded by; `endpoint` ends in "/". */
export interface SortedAdapter extends Pick<Sorted, "download" | "endpoint" | "fetch" | "signal" | "onProgress"> {
  scale: number;
}

export function checkAdapter(options: AdapterOptions | undefined): SortedAdapter {
  const { scale = 1, ...others } = readAdapter(options);
  const { download, endpoint, fetch, signal, onProgress } = sort(others, "withAdapter");
  return { scale, download, endpoint, fetch, signal, onProgress };
}

function checkScale(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw invalid(`${name} should be a finite number, not ${describe(value)}`);
  return value;
}

/** Options in the hands of those who need them. */
export interface Sorted {
  model: WireModelOptions;
  download: WireDownloadOptions;
  /** Ends in "/". */
  endpoint: string;
  fetch: Fetch | undefined;
  engine: Engine | undefined;
  device: LoadOptions["device"];
  signal: AbortSignal | undefined;
  onProgress: LoadOptions["onProgress"];
  fallback: RemoteOptions | undefined;
}

/** `contextLength` and the type of its cache are a language model's. */
export function checkLoad(options: CausalLMOptions | undefined, isCausal: boolean): Sorted {
  return sort((isCausal ? readCausalLM : readLoad)(options), "load");
}

export function checkInspect(options: InspectOptions | undefined): Sorted {
  return sort(readInspect(options), "inspect");
}

function sort(options: CausalLMOptions & InspectOptions, call: string): Sorted {
  const { engine, device, endpoint = HUB, fetch, signal, onProgress, fallback, contextLength, kvCacheType, quantize, batch, ...download } =
    options;
  if (engine !== undefined && device !== undefined)
    throw invalid(`device: ${call} was given an engine, which has its device already`);
  if (download.file !== undefined && download.quant !== undefined)
    throw invalid("file and quant both say which GGUF file is meant: give one of them");
  return {
    model: given({ contextLength, kvCacheType, quantize, batch }),
    download: { ...(download as WireDownloadOptions), ...(fetch !== undefined && { pageFetch: true }) },
    endpoint,
    fetch,
    engine,
    device,
    signal,
    onProgress,
    fallback,
  };
}

/** Only what is there. */
function given<T extends object>(record: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as ReturnType<typeof given<T>>;
}

function checkEngine(engine: unknown, name: string): Engine {
  if (!(engine instanceof Engine)) throw invalid(`${name} should come from Engine.create`);
  return engine;
}

function checkToken(value: unknown, name: string): string {
  // The message must not say it.
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value))
    throw invalid(`${name} should be a string of visible ASCII characters, as it goes into a header`);
  return value;
}

function checkEndpoint(value: unknown, name: string): string {
  const text = checkText(value, name);
  // A whole address: one that is relative to the page is nobody's hub.
  if (!/^https?:\/\//i.test(text))
    throw invalid(`${name} should be the address of a hub, such as ${JSON.stringify(HUB)}, not ${describe(value)}`);
  const url = absolute(text);
  [url.search, url.hash] = ["", ""];
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url.href;
}

function checkRevalidate(value: unknown, name: string): "always" | "never" | number {
  if (value === "always" || value === "never") return value;
  if (typeof value !== "number" || !(value >= 0))
    throw invalid(`${name} should be "always", "never" or a number of milliseconds, not ${describe(value)}`);
  return value;
}

function checkDigests(integrity: unknown, name: string): Record<string, string> {
  const digests = checkStrings(integrity, name);
  for (const [file, digest] of Object.entries(digests)) {
    if (!/^[\da-f]{64}$/i.test(digest))
      throw invalid(`${name}[${JSON.stringify(file)}] should be a SHA-256 in hex, 64 digits`);
  }
  return digests;
}
