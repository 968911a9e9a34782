// Holds the model. ./azulejo/ is a copy of node_modules/azulejo/dist.

import { CausalLM, Engine } from "./azulejo/index.js";

let loaded;

/** The first who asks says which model; the others use it, too. */
async function load(asked) {
  const engine = await Engine.create({ device: asked.device });
  return CausalLM.load(asked.model, { engine, contextLength: 64 });
}

chrome.runtime.onConnect.addListener((port) => port.onMessage.addListener((asked) => answer(asked, port)));

async function answer(asked, port) {
  try {
    const lm = await (loaded ??= load(asked));
    port.postMessage({ device: JSON.stringify(lm.engine.device) });
    for await (const { text } of lm.generate("The capital of France is", { maxTokens: 8 })) port.postMessage({ text });
    port.postMessage({ state: "done" });
  } catch (error) {
    loaded = undefined;
    port.postMessage({ error: `${error.code}: ${error.stack}`, state: "failed" });
  }
}
