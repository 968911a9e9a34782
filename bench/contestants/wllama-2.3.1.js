// wllama 2.3.1: the last one whose build has ggml's SIMD dot products. Its low-level calls, so that a prompt is
// computed without sampling, and a step is what its own createCompletion does: sample, accept, decode.

import { LoggerWithoutDebug, Wllama } from "../node_modules/wllama-2.3.1/esm/index.js";

const asset = (path) => new URL(`../node_modules/wllama-2.3.1/esm/${path}/wllama.wasm`, import.meta.url).href;

/** Loads the model with the whole prompt in one batch; one thread takes its single-thread build. */
export async function load({ url, threads, contextLength, batch }) {
  const wllama = new Wllama(
    { "single-thread/wllama.wasm": asset("single-thread"), "multi-thread/wllama.wasm": asset("multi-thread") },
    { suppressNativeLog: true, logger: LoggerWithoutDebug },
  );
  await wllama.loadModel([await (await fetch(url)).blob()], {
    n_threads: threads, n_ctx: contextLength, n_batch: batch, cache_type_k: "f16", cache_type_v: "f16",
  });
  return {
    description: `llama.cpp in wasm, ${wllama.getNumThreads()} threads`,
    async prefill(prompt) {
      const tokens = await wllama.tokenize(prompt);
      await wllama.kvClear();
      const start = performance.now();
      await wllama.decode(tokens, {});
      return { tokens: tokens.length, ms: performance.now() - start };
    },
    async decode(prompt, count) {
      const tokens = await wllama.tokenize(prompt);
      await wllama.kvClear();
      await wllama.samplingInit({ temp: 0 });
      await wllama.decode(tokens, {});
      const start = performance.now();
      for (let step = 0; step < count; step++) {
        const { token } = await wllama.samplingSample();
        await wllama.samplingAccept([token]);
        await wllama.decode([token], {});
      }
      return { tokens: count, ms: performance.now() - start };
    },
    dispose: () => wllama.exit(),
  };
}
