// azulejo, through its public interface, by the page's clock: the way to the worker and back is counted.

import { CausalLM, Engine } from "../../dist/index.js";
import { aStep, less, spentOn } from "../../www-dist/gpu/steps.js";

/** Tokens of each of several texts. */
const EACH = 64;

/** Loads the model with the KV cache type and context length of the others. `sampling`: how tokens are drawn, if they are. */
export async function load({ url, threads, contextLength, device, worker, gpu, sampling }) {
  const engine = await Engine.create({ device, threads, worker, gpu });
  const model = await CausalLM.load(url, { engine, contextLength, kvCacheType: "f16", cache: false });

  async function prefill(prompt) {
    const tokens = await model.tokenizer.encode(prompt);
    const start = performance.now();
    await model.generate(tokens, { maxTokens: 1, ignoreEnd: true });
    return { tokens: tokens.length, ms: performance.now() - start };
  }

  async function decode(prompt, count, options) {
    const tokens = await model.tokenizer.encode(prompt);
    // A pass for each token: what drafts are worth is drafts.mjs's. The first token comes out of the prompt's own pass: the clock starts when it is here.
    let start, end, seen = 0;
    for await (const _ of model.generate(tokens, { maxTokens: count + 1, ignoreEnd: true, draft: "off", ...sampling, ...options })) {
      end = performance.now();
      start ??= end;
      seen += 1;
    }
    return { tokens: seen - 1, ms: end - start };
  }

  /** The same of a text that a schema holds to a list of strings, which leaves nearly all to the model. */
  async function schema(prompt, count) {
    return decode(prompt, count, { jsonSchema: { type: "array", items: { type: "string" }, minItems: count }, ignoreEnd: undefined });
  }

  /** So many texts at once, 64 tokens each: from the moment that all have their first token to the first that ends. */
  async function together(prompt, texts) {
    const tokens = await model.tokenizer.encode(prompt);
    const seen = { first: 0, made: 0 };
    let start, end;
    const follow = async (text) => {
      let of = 0;
      for await (const _ of model.generate([...tokens, ...tokens.slice(0, 1 + text)], { maxTokens: EACH, ignoreEnd: true, draft: "off" })) {
        if (of++ === 0 && ++seen.first === texts) start = performance.now();
        else if (start !== undefined && end === undefined) seen.made++;
        if (of === EACH) end ??= performance.now();
      }
    };
    await Promise.all(Array.from({ length: texts }, (_, text) => follow(text)));
    return { tokens: seen.made, ms: end - start };
  }

  /**
   * On the GPU: a chunk of the prompt, or a token without what the prompt's pass has done. That is the same each time if the
   * prompt is a few tokens: a longer one is given to the GPU in as many pieces as its pace asks for.
   */
  async function step(kind, prompt, count) {
    if (kind === "prefill") return aStep(await spentOn(engine, () => prefill(prompt)));
    const few = prompt.slice(0, 4);
    const first = await spentOn(engine, () => prefill(few));
    return aStep(less(await spentOn(engine, () => (kind === "schema" ? schema : decode)(few, count)), first));
  }

  const { description, features } = engine.device;
  return { description, features, prefill, decode, schema, together, step, dispose: () => engine.dispose() };
}
