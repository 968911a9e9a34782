// What `load` takes, checked and sorted by who needs it.

import { Engine } from "./engine.js";
import { invalid } from "./errors.js";
import type { WireDownloadOptions, WireModelOptions } from "./protocol.js";
import type { CausalLMOptions } from "./types.js";
import { checkCount, checkFlag, checkFunction, checkOptions, checkSignal, checkText } from "./validate.js";

export function checkLoad(options: CausalLMOptions): { model: WireModelOptions; download: WireDownloadOptions } {
  checkOptions(options, "options");
  const { engine, onProgress, signal, cache, quantize, headers, credentials, integrity, contextLength, kvCacheType } =
    options;
  checkEngine(engine);
  checkSignal(signal, false);
  checkFunction(onProgress, "onProgress");
  const model: WireModelOptions = {};
  if (quantize !== undefined) {
    if (!["q8_0", "q4_1"].includes(quantize))
      throw invalid(`quantize should be "q8_0" or "q4_1", not ${JSON.stringify(quantize)}`);
    model.quantize = quantize;
  }
  if (contextLength !== undefined) model.contextLength = checkCount(contextLength, "contextLength", 1);
  if (kvCacheType !== undefined) {
    if (!["f32", "f16", "q8"].includes(kvCacheType))
      throw invalid(`kvCacheType should be "f32", "f16" or "q8", not ${JSON.stringify(kvCacheType)}`);
    model.kvCacheType = kvCacheType;
  }
  const download: WireDownloadOptions = {};
  if (cache !== undefined) download.cache = checkFlag(cache, "cache");
  if (headers !== undefined) download.headers = checkStrings(headers, "headers");
  if (credentials !== undefined) download.credentials = credentials;
  if (integrity !== undefined) download.integrity = checkDigests(integrity);
  return { model, download };
}

export function checkEngine(engine: unknown): void {
  if (engine !== undefined && !(engine instanceof Engine)) throw invalid("engine should come from Engine.create");
}

function checkStrings(record: unknown, name: string): Record<string, string> {
  checkOptions(record, name);
  return Object.fromEntries(
    Object.entries(record as object).map(([key, value]) => [key, checkText(value, `${name}[${JSON.stringify(key)}]`)]),
  );
}

function checkDigests(integrity: unknown): Record<string, string> {
  const digests = checkStrings(integrity, "integrity");
  for (const [file, digest] of Object.entries(digests)) {
    if (!/^[\da-f]{64}$/i.test(digest))
      throw invalid(`integrity[${JSON.stringify(file)}] should be a SHA-256 in hex, 64 digits`);
  }
  return digests;
}
