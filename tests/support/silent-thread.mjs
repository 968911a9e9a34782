// A thread of the pool of which only the first one ever says that it has started.

import { parentPort } from "node:worker_threads";

parentPort.on("message", ({ memory, index }) => {
  if (index !== undefined) return parentPort.close(); // to work: there is none
  const first = Atomics.add(new Int32Array(memory.buffer), 0, 1) === 0;
  if (first) parentPort.postMessage({ kind: "ready" });
});
