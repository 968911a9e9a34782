// azulejo, through its public interface, by the page's clock: the way to the worker and back is counted.

import { CausalLM, Engine } from "../../dist/index.js";
import { aStep, less, spentOn } from "../gpu-steps.js";

/** Loads the model with the KV cache type and context length of the others. */
export async function load({ url, threads, contextLength, device, worker, gpu }) {
  const engine = await Engine.create({ device, threads, worker, gpu });
  const model = await CausalLM.load(url, { engine, contextLength, kvCacheType: "f16", cache: false });

  async function prefill(prompt) {
    const tokens = await model.tokenizer.encode(prompt);
    const start = performance.now();
    await model.generate(tokens, { maxTokens: 1, ignoreEnd: true });
    return { tokens: tokens.length, ms: performance.now() - start };
  }

  async function decode(prompt, count) {
    const tokens = await model.tokenizer.encode(prompt);
    // The first token comes out of the prompt's own pass: the clock starts when it is here.
    let start, end, seen = 0;
    for await (const _ of model.generate(tokens, { maxTokens: count + 1, ignoreEnd: true })) {
      end = performance.now();
      start ??= end;
      seen += 1;
    }
    return { tokens: seen - 1, ms: end - start };
  }

  /**
   * On the GPU: a chunk of the prompt, or a token without what the prompt's pass has done. That is the same each time if the
   * prompt is a few tokens: a longer one is given to the GPU in as many pieces as its pace asks for.
   */
  async function step(kind, prompt, count) {
    if (kind === "prefill") return aStep(await spentOn(engine, () => prefill(prompt)));
    const few = prompt.slice(0, 4);
    const first = await spentOn(engine, () => prefill(few));
    return aStep(less(await spentOn(engine, () => decode(few, count)), first));
  }

  const { description, features } = engine.device;
  return { description, features, prefill, decode, step, dispose: () => engine.dispose() };
}
