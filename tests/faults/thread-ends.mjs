// In azulejo's worker, before azulejo: the messages between it and the page, and between it and its pool's threads, are
// counted, and around one of them a thread ends. Which one the environment says; who asks what came of it is in the page.

import { syncBuiltinESMExports } from "node:module";
import threads from "node:worker_threads";
import { firstsOnly } from "./wire.mjs";

const { Worker, parentPort } = threads;
const { direction: wanted, when, at } = JSON.parse(process.env.AZULEJO_THREAD_ENDS);
const counts = { "to-worker": 0, "from-worker": 0, "to-thread": 0, "from-thread": 0 };
const isCounted = firstsOnly();
const pool = [];
let hits = 0;

const channel = new BroadcastChannel("ends of threads");
channel.onmessage = () => channel.postMessage({ counts, hits });
channel.unref();

/** A message, from when there are threads: `thread` is whose it is, where it is a thread's. */
function pass(direction, message, deliver, thread = pool[at % pool.length]) {
  if (pool.length === 0 || !isCounted(message)) return deliver();
  const nth = ++counts[direction];
  const isIt = direction === wanted && nth === at;
  const end = () => {
    hits++;
    channel.postMessage({ counts, hits });
    thread.terminate();
  };
  if (isIt && when === "before") end();
  deliver();
  if (isIt && when === "after") end();
}

threads.Worker = class extends Worker {
  constructor(...given) {
    super(...given);
    pool.push(this);
  }

  postMessage(...given) {
    pass("to-thread", given[0], () => super.postMessage(...given), this);
  }

  emit(event, ...given) {
    if (event !== "message") return super.emit(event, ...given);
    return pass("from-thread", given[0], () => super.emit(event, ...given), this);
  }
};
syncBuiltinESMExports();

const { postMessage } = parentPort;
parentPort.postMessage = (...given) => pass("from-worker", given[0], () => postMessage.apply(parentPort, given));
const { set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(parentPort), "onmessage");
Object.defineProperty(parentPort, "onmessage", {
  set: (listener) => set.call(parentPort, (event) => pass("to-worker", event.data, () => listener(event))),
});
