// The way to a host: a worker, or a channel within this thread.

import { AzulejoError } from "../shared/errors.js";
import type { FromHost, HostClass, StartOptions, ToHost } from "../shared/protocol.js";
import { startWorker, type WorkerEars, type WorkerHandle } from "../shared/workers.js";

export type Transport = WorkerHandle<ToHost>;
export type Ears = WorkerEars<FromHost>;

export function openTransport({ inPage, assets }: StartOptions, ears: Ears): Promise<Transport> {
  return inPage ? openHere(assets.worker, ears) : startWorker(assets.worker, "azulejo", ears);
}

/** The host's code, where it came with the page's. */
let hostHere: HostClass | undefined;

/** For `azulejo/in-this-thread`: where nothing can be imported later, as in a service worker. */
export function provideHost(host: HostClass): void {
  hostHere = host;
}

/** Whether a host in a worker can be had. */
export function hasWorkers(): boolean {
  return hostHere === undefined || typeof Worker !== "undefined";
}

async function openHere(address: string, ears: Ears): Promise<Transport> {
  const HostHere = hostHere ?? (await importHost(address));
  const { port1, port2 } = new MessageChannel() as { port1: NodePort; port2: NodePort };
  const host = new HostHere(port2);
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
      return undefined;
    },
  };
}

/** By its address, as the worker would be: bundlers copy that file, and must not look into it. */
async function importHost(address: string): Promise<HostClass> {
  try {
    const { Host } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ address)) as { Host: HostClass };
    return Host;
  } catch (error) {
    const why =
      `${address} could not be imported: ${(error as Error).message}; in a service worker import ` +
      '"azulejo/in-this-thread", elsewhere the engine option "assets" says where it lies';
    throw new AzulejoError("network", why, undefined, { cause: error });
  }
}

/** Node's ports keep it running. */
type NodePort = MessagePort & { ref?(): void; unref?(): void };
