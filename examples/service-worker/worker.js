// The service worker: it cannot start workers, so azulejo runs in this very thread.
// ./azulejo/ is a copy of node_modules/azulejo/dist.

import { CausalLM, Engine } from "./azulejo/in-this-thread.js";

self.oninstall = () => self.skipWaiting();
self.onactivate = (event) => event.waitUntil(self.clients.claim());
// A browser ends a service worker that seems to have nothing to do: `waitUntil` keeps it until the answer is there.
self.onmessage = (event) => event.waitUntil(answer(event.data, event.ports[0]));

async function answer(asked, page) {
  try {
    const engine = await Engine.create({ device: asked.device });
    page.postMessage({ device: JSON.stringify(engine.device) });
    const lm = await CausalLM.load(asked.model, { engine, contextLength: 64 });
    for await (const { text } of lm.generate("The capital of France is", { maxTokens: 8, regex: asked.regex })) page.postMessage({ text });
    await engine.dispose();
    page.postMessage({ state: "done" });
  } catch (error) {
    page.postMessage({ error: `${error.code}: ${error.stack}`, state: "failed" });
  }
}
