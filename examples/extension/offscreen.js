// Holds the model. ./azulejo/ is a copy of node_modules/azulejo/dist.

import { CausalLM, Engine } from "./azulejo/index.js";

/** Promises: the first who asks says which device and model; the others use them, too. */
let engine, model;

chrome.runtime.onConnect.addListener((port) => port.onMessage.addListener((asked) => answer(asked, port)));

async function answer(asked, port) {
  try {
    engine ??= Engine.create({ device: asked.device });
    port.postMessage({ device: JSON.stringify((await engine).device) });
    model ??= CausalLM.load(asked.model, { engine: await engine, contextLength: 64 });
    const lm = await model;
    for await (const { text } of lm.generate("The capital of France is", { maxTokens: 8 })) port.postMessage({ text });
    port.postMessage({ state: "done" });
  } catch (error) {
    engine = model = undefined; // whoever asks next may have more luck
    port.postMessage({ error: `${error.code}: ${error.stack}`, state: "failed" });
  }
}
