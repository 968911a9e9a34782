// The way to a host: a Worker, a thread of Node's, or a channel within the page.

import { AzulejoError, asError } from "./errors.js";
import { isNode, NODE_WORKER, nodeModule } from "./platform.js";
import type { FromHost, ToHost } from "./protocol.js";

export interface Transport {
  post(message: ToHost, transfer?: Transferable[]): void;
  /** Whether Node should stay for its sake. */
  ref(stay: boolean): void;
  close(): void;
}

export interface Ears {
  message(message: FromHost): void;
  /** The other side is gone. */
  failed(error: AzulejoError): void;
}

export function openTransport(inPage: boolean, assets: string | undefined, ears: Ears): Promise<Transport> {
  if (inPage) return openInPage(ears);
  return isNode() ? openNode(assets, ears) : openWorker(assets, ears);
}

const gone = (why: string) => new AzulejoError("internal", `azulejo's worker has failed: ${why}`);

async function openWorker(assets: string | undefined, ears: Ears): Promise<Transport> {
  const worker = newWorker(assets);
  worker.onmessage = ({ data }: MessageEvent<FromHost>) => ears.message(data);
  worker.onmessageerror = () => ears.failed(gone("a message could not be read"));
  worker.onerror = (event) => {
    event.preventDefault();
    // Without words it is the script itself that could not be had.
    ears.failed(
      event.message
        ? gone(event.message)
        : new AzulejoError(
            "network",
            'the script of azulejo\'s worker did not load; the engine option "assets" says where it lies',
          ),
    );
  };
  return {
    post: (message, transfer) => worker.postMessage(message, transfer ?? []),
    ref() {},
    close: () => worker.terminate(),
  };
}

function newWorker(assets: string | undefined): Worker {
  try {
    // Spelled out, because bundlers look for exactly this form.
    return assets === undefined
      ? new Worker(new URL("./worker.js", import.meta.url), { type: "module" })
      : new Worker(new URL("worker.js", assets), { type: "module" });
  } catch (error) {
    const why =
      `${(error as Error).message}; a worker's script must lie on the page's own origin ` +
      '(engine option "assets"), and worker: false does without';
    throw new AzulejoError("invalid-argument", why, undefined, { cause: error });
  }
}

async function openNode(assets: string | undefined, ears: Ears): Promise<Transport> {
  const { Worker: NodeWorkerClass } = await nodeModule("node:worker_threads");
  // A base in a variable: bundlers for the browser must not take this for an asset.
  const here: string = assets ?? import.meta.url;
  const worker = new NodeWorkerClass(new URL("worker.js", here), NODE_WORKER);
  worker.on("message", (message: FromHost) => ears.message(message));
  worker.on("error", (error: Error & { code?: string }) => {
    if (error.code === "ERR_WORKER_OUT_OF_MEMORY") ears.failed(new AzulejoError("out-of-memory", error.message));
    else ears.failed(gone(asError(error).message));
  });
  worker.on("exit", () => ears.failed(gone("it has ended")));
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    ref: (stay) => (stay ? worker.ref() : worker.unref()),
    close: () => void worker.terminate(),
  };
}

async function openInPage(ears: Ears): Promise<Transport> {
  const { Host } = await import("./host.js");
  const { port1, port2 } = new MessageChannel() as { port1: NodePort; port2: NodePort };
  const host = new Host(port2);
  port2.onmessage = ({ data }: MessageEvent<ToHost>) => host.receive(data);
  port1.onmessage = ({ data }: MessageEvent<FromHost>) => ears.message(data);
  return {
    post: (message, transfer) => port1.postMessage(message, transfer ?? []),
    ref(stay) {
      for (const port of [port1, port2])
        if (stay) port.ref?.();
        else port.unref?.();
    },
    // What the host still says goes nowhere: the ports are left to the garbage collector once it has freed everything.
    close() {
      port1.postMessage({ kind: "close" } satisfies ToHost);
      port1.onmessage = null;
    },
  };
}

/** Node's ports keep it running. */
type NodePort = MessagePort & { ref?(): void; unref?(): void };
