// What of the models the browser keeps, so that nothing large is fetched unasked.

import { cache, type ModelSource } from "./azulejo/index.js";

const WEIGHTS = /\.(gguf|safetensors)$/;

/** The beginning of the addresses that a source's files have; undefined for what is no address. */
function addressOf(source: ModelSource): string | undefined {
  const hub = typeof source === "string" ? /^hf:([^/]+\/[^/@]+)(?:@([^/]+))?(\/.+)?$/.exec(source) : null;
  if (hub) return `https://huggingface.co/${hub[1]}/resolve/${hub[2] ?? "main"}${hub[3] ?? "/"}`;
  return typeof source === "string" ? new URL(source, document.baseURI).href : undefined;
}

/** Whether loading this costs no download: it is here already, or all weights of it that came are whole. */
export async function isKept(source: ModelSource): Promise<boolean> {
  const address = addressOf(source);
  if (address === undefined) return true;
  const weights = (await cache.list()).filter(({ url }) => url.startsWith(address) && WEIGHTS.test(new URL(url).pathname));
  return weights.length > 0 && weights.every(({ complete }) => complete);
}
