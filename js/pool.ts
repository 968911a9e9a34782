// The threads of the threads build: started by the host, each in a worker of its own.

import { isNode, NODE_WORKER, nodeModule, type NodeWorker } from "./platform.js";

export interface ThreadStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  stack: number;
  /** Straight to the page. */
  page: MessagePort;
}
/** What the host tells a thread: first how to start, then which one it is. */
export type ToThread = ThreadStart | { index: number };
/** To the host once it has started; to the page when it dies. */
export type FromThread = { kind: "ready" } | { kind: "died"; message: string };

export interface Pool {
  count: number;
  /** Why there are fewer than asked for. */
  reason?: string;
  /** Sends the threads to work; they never come back. */
  run(): void;
  stop(): void;
}

interface Thread {
  post(message: ToThread, transfer?: Transferable[]): void;
  stop(): void;
}

/** Starts `wanted` threads; those that fail are done without. */
export async function startThreads(
  shared: Omit<ThreadStart, "page">,
  wanted: number,
  assets: string | undefined,
  announce: (port: MessagePort) => void,
): Promise<Pool> {
  const started = await Promise.allSettled(Array.from({ length: wanted }, () => startThread(shared, assets, announce)));
  const threads = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const failure = started.find((each) => each.status === "rejected");
  return {
    count: threads.length,
    reason: failure === undefined ? undefined : String((failure.reason as Error).message ?? failure.reason),
    run: () => threads.forEach((thread, at) => thread.post({ index: at + 1 })),
    stop: () => threads.forEach((thread) => thread.stop()),
  };
}

async function startThread(
  shared: Omit<ThreadStart, "page">,
  assets: string | undefined,
  announce: (port: MessagePort) => void,
): Promise<Thread> {
  const { port1, port2 } = new MessageChannel();
  let ready = () => {};
  let failed: (why: Error) => void = () => {};
  const outcome = new Promise<void>((resolve, reject) => {
    ready = resolve;
    failed = reject;
  });
  const thread = await openThread(assets, (message) => {
    if (message.kind === "ready") ready();
    else failed(new Error(message.message));
  });
  try {
    thread.post({ ...shared, page: port2 }, [port2]);
    await outcome;
  } catch (error) {
    thread.stop();
    throw error;
  }
  announce(port1);
  return thread;
}

async function openThread(assets: string | undefined, heard: (message: FromThread) => void): Promise<Thread> {
  if (isNode()) {
    const { Worker: NodeWorkerClass } = await nodeModule("node:worker_threads");
    // A base in a variable: bundlers for the browser must not take this for an asset.
    const here: string = assets ?? import.meta.url;
    const worker: NodeWorker = new NodeWorkerClass(new URL("thread.js", here), NODE_WORKER);
    worker.on("message", (message: FromThread) => heard(message));
    worker.on("error", (error: Error) => heard({ kind: "died", message: error.message }));
    return { post: (message, transfer) => worker.postMessage(message, transfer), stop: () => void worker.terminate() };
  }
  const worker =
    assets !== undefined
      ? new Worker(new URL("thread.js", assets), { type: "module" })
      : new Worker(new URL("./thread.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<FromThread>) => heard(data);
  worker.onerror = (event) => heard({ kind: "died", message: event.message || "a thread's worker did not start" });
  return { post: (message, transfer) => worker.postMessage(message, transfer ?? []), stop: () => worker.terminate() };
}
