// One model for all pages of an origin. Chromium has no workers inside a shared worker, so azulejo runs in this very
// thread. ./azulejo/ is a copy of node_modules/azulejo/dist.

import { CausalLM, Engine } from "./azulejo/in-this-thread.js";

let loaded;

/** The first page says which model; the others use it, too. */
async function load(asked) {
  const engine = await Engine.create({ device: asked.device });
  return CausalLM.load(asked.model, { engine, contextLength: 64 });
}

self.onconnect = ({ ports: [page] }) => {
  page.onmessage = ({ data }) => answer(data, page);
};

async function answer(asked, page) {
  try {
    const lm = await (loaded ??= load(asked));
    page.postMessage({ device: JSON.stringify(lm.engine.device) });
    for await (const { text } of lm.generate("The capital of France is", { maxTokens: 8 })) page.postMessage({ text });
    page.postMessage({ state: "done" });
  } catch (error) {
    loaded = undefined;
    page.postMessage({ error: `${error.code}: ${error.stack}`, state: "failed" });
  }
}
