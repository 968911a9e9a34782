// azulejo, with drafts and without: what a text takes from its first token on, by the page's clock.

import { CausalLM, Engine } from "../../dist/index.js";

export async function load({ url, threads, device, worker, gpu }) {
  const engine = await Engine.create({ device, threads, worker, gpu });
  const model = await CausalLM.load(url, { engine, cache: false });

  /** The answer to a request, at most `count` tokens. */
  async function answer(request, count, draft) {
    const { text, stats } = await model.generate([{ role: "user", content: request }], { maxTokens: count, ...(draft && { draft }) });
    const { decodeMs: ms, generatedTokens: tokens, draftedTokens: drafted, acceptedTokens: accepted } = stats;
    return { text, ms, tokens: tokens - 1, drafted, accepted };
  }

  const { description, features } = engine.device;
  return {
    description,
    features,
    off: (request, count) => answer(request, count, "off"),
    itself: (request, count) => answer(request, count),
    prompt: (request, count) => answer(request, count, "prompt"),
    dispose: () => engine.dispose(),
  };
}
