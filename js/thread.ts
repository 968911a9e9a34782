// A thread of the pool: starts on the host's memory, then computes for ever.

import init, { threadMain } from "./threads/azulejo.js";
import { isNode, nodeModule } from "./platform.js";
import type { FromThread, ThreadStart, ToThread } from "./pool.js";

let page: MessagePort | undefined;

function serve(port: { postMessage(message: FromThread): void }, message: ToThread): void {
  if ("module" in message) void join(port, message);
  else compute(message.index);
}

async function join(port: { postMessage(message: FromThread): void }, start: ThreadStart): Promise<void> {
  try {
    page = start.page;
    await init({ module_or_path: start.module, memory: start.memory, thread_stack_size: start.stack });
    port.postMessage({ kind: "ready" });
  } catch (error) {
    port.postMessage({ kind: "died", message: String((error as Error).message ?? error) });
  }
}

function compute(index: number): void {
  try {
    threadMain(index);
  } catch (error) {
    // The host waits for this thread inside wasm and hears nothing: the page must end it.
    page?.postMessage({
      kind: "died",
      message: `thread ${index}: ${String((error as Error).message ?? error)}`,
    } satisfies FromThread);
  }
}

if (isNode()) {
  void nodeModule("node:worker_threads").then(({ parentPort }) => {
    parentPort!.onmessage = ({ data }: MessageEvent<ToThread>) => serve(parentPort!, data);
  });
} else {
  const scope = self as unknown as { onmessage: unknown; postMessage(message: FromThread): void };
  scope.onmessage = ({ data }: MessageEvent<ToThread>) => serve(scope, data);
}
