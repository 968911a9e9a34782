// wllama 3.13.0: llama.cpp's server in wasm. Nothing is kept from the call before. It takes prompts as text only.
//
// Its own timings (milliseconds of prompt processing, of prediction) are read rather than the page's clock: they leave
// out its message round trips, so they favour it.

import { LoggerWithoutDebug, Wllama } from "../node_modules/wllama-3.13.0/esm/index.js";

const WASM = new URL("../node_modules/wllama-3.13.0/esm/wasm/wllama.wasm", import.meta.url).href;

/** Loads the model on the CPU, with one slot and the whole prompt in one batch. */
export async function load({ url, threads, contextLength, batch }) {
  const wllama = new Wllama({ default: WASM }, { suppressNativeLog: true, logger: LoggerWithoutDebug });
  await wllama.loadModel([await (await fetch(url)).blob()], {
    n_gpu_layers: 0, n_threads: threads, n_ctx: contextLength, n_batch: batch, n_ubatch: batch, n_parallel: 1,
    cache_type_k: "f16", cache_type_v: "f16",
  });
  const complete = async (prompt, count) => {
    const { timings } = await wllama.createCompletion({
      prompt, max_tokens: count, temperature: 0, ignore_eos: true, cache_prompt: false,
    });
    return timings;
  };
  return {
    description: `llama.cpp ${Wllama.getLibllamaVersion()}, ${wllama.getNumThreads()} threads`,
    async prefill(prompt) {
      const timings = await complete(prompt, 1);
      return { tokens: timings.prompt_n, ms: timings.prompt_ms };
    },
    async decode(prompt, count) {
      // The first token comes out of the prompt's own pass, before its clock of prediction starts.
      const timings = await complete(prompt, count + 1);
      return { tokens: timings.predicted_n - 1, ms: timings.predicted_ms };
    },
    dispose: () => wllama.exit(),
  };
}
