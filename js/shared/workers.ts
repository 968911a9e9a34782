// The package's own workers, in a browser or under Node: scripts at an address, maybe of another origin.

import { AzulejoError, asError } from "./errors.js";
import { isNode, nodeModule } from "./platform.js";

/** What a worker is started as: our scripts serve only where they are told their own name, and not where somebody imports them. */
export type Role = "azulejo" | "azulejo thread";

export interface WorkerHandle<To> {
  post(message: To, transfer?: Transferable[]): void;
  /** Whether Node should stay for its sake. */
  ref(stay: boolean): void;
  /** Resolves once it is gone, where that is told. */
  close(): Promise<unknown> | undefined;
}

export interface WorkerEars<From> {
  message(message: From): void;
  /** It is gone, or never was. */
  failed(error: AzulejoError): void;
}

export async function startWorker<To, From>(url: string, role: Role, ears: WorkerEars<From>): Promise<WorkerHandle<To>> {
  return isNode() ? startNode(url, role, ears) : startWeb(url, role, ears);
}

const gone = (why: string) => new AzulejoError("internal", `azulejo's worker has failed: ${why}`);

async function startNode<To, From>(url: string, role: Role, ears: WorkerEars<From>): Promise<WorkerHandle<To>> {
  const { Worker: NodeWorkerClass } = await nodeModule("node:worker_threads");
  // The process's own flags are not for a worker of ours: with `node -e` it would not start.
  const worker = new NodeWorkerClass(new URL(url), { execArgv: [], workerData: role });
  worker.on("message", (message: From) => ears.message(message));
  worker.on("messageerror", () => ears.failed(gone("a message could not be read")));
  worker.on("error", (error: Error & { code?: string }) => {
    if (error.code === "ERR_WORKER_OUT_OF_MEMORY") ears.failed(new AzulejoError("out-of-memory", error.message));
    else ears.failed(gone(asError(error).message));
  });
  worker.on("exit", () => ears.failed(gone("it has ended")));
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    ref: (stay) => (stay ? worker.ref() : worker.unref()),
    close: () => worker.terminate(),
  };
}

function startWeb<To, From>(url: string, role: Role, ears: WorkerEars<From>): WorkerHandle<To> {
  if (typeof Worker === "undefined") {
    const why = 'nothing here can start a worker; worker: false with "azulejo/in-this-thread" does without';
    throw new AzulejoError("invalid-argument", why);
  }
  // A worker's script must be of the page's own origin; what that script imports need not.
  const shim = isOwn(url) ? undefined : blobUrl(`import ${JSON.stringify(url)};`);
  const forget = () => shim !== undefined && URL.revokeObjectURL(shim);
  let worker: Worker;
  try {
    worker = new Worker(shim ?? url, { type: "module", name: role });
  } catch (error) {
    forget();
    throw new AzulejoError("network", `${notLoaded(url)}: ${(error as Error).message}`, undefined, { cause: error });
  }
  worker.onmessage = ({ data }: MessageEvent<From>) => {
    forget();
    ears.message(data);
  };
  worker.onmessageerror = () => ears.failed(gone("a message could not be read"));
  worker.onerror = (event) => {
    event.preventDefault();
    forget();
    // Without words it is the script itself that could not be had.
    ears.failed(event.message ? gone(event.message) : new AzulejoError("network", notLoaded(url)));
  };
  return {
    post: (message, transfer) => worker.postMessage(message, transfer ?? []),
    ref() {},
    close() {
      forget();
      worker.terminate();
      return undefined;
    },
  };
}

/** Whether a worker may be started from there. An extension's own addresses have no origin of their own in some browsers. */
function isOwn(url: string): boolean {
  return new URL(url).origin === globalThis.origin || url.startsWith(`${globalThis.origin}/`);
}

function blobUrl(code: string): string {
  return URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
}

function notLoaded(url: string): string {
  const what = `the script of azulejo's worker did not load from ${url}`;
  if (isOwn(url)) return `${what}; the engine option "assets" says where it lies`;
  const { origin } = new URL(url);
  return (
    `${what}, which is another origin: its server has to allow this page (Access-Control-Allow-Origin), and a ` +
    `Content-Security-Policy needs "worker-src blob: ${origin}; connect-src ${origin}"; ` +
    'the engine option "assets" may name a copy on the page\'s own origin'
  );
}
