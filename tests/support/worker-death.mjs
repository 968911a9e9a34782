// The death of an engine's worker under Node, as when the system kills it: nobody has told the engine.

import { Worker } from "node:worker_threads";

let latest;
const { postMessage } = Worker.prototype;
Worker.prototype.postMessage = function (...message) {
  latest = this;
  return postMessage.apply(this, message);
};

/** Ends the worker of an engine that has one; it has heard of that when this is over. */
export async function killWorker(engine) {
  const connection = await engine.connect();
  const asking = engine.diagnostics();
  const worker = latest;
  await asking;
  await worker.terminate();
  while ((await engine.connect()) === connection) await new Promise((resolve) => setImmediate(resolve));
}
