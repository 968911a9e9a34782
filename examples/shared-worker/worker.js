// One model for all pages of an origin. Chromium has no workers inside a shared worker, so azulejo runs in this very
// thread. ./azulejo/ is a copy of node_modules/azulejo/dist.

import { CausalLM, Engine } from "./azulejo/in-this-thread.js";

/** Promises: the first who asks says which device and model; the others use them, too. */
let engine, model;

self.onconnect = ({ ports: [page] }) => {
  page.onmessage = ({ data }) => answer(data, page);
};

async function answer(asked, page) {
  try {
    engine ??= Engine.create({ device: asked.device });
    page.postMessage({ device: JSON.stringify((await engine).device) });
    model ??= CausalLM.load(asked.model, { engine: await engine, contextLength: 64 });
    const lm = await model;
    for await (const { text } of lm.generate("The capital of France is", { maxTokens: 8, regex: asked.regex })) page.postMessage({ text });
    page.postMessage({ state: "done" });
  } catch (error) {
    engine = model = undefined; // whoever asks next may have more luck
    page.postMessage({ error: `${error.code}: ${error.stack}`, state: "failed" });
  }
}
