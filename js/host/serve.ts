// The inner end of a worker of ours.

import { isNode, nodeModule } from "../shared/platform.js";
import type { Role } from "../shared/workers.js";

export interface OwnPort<From> {
  postMessage(message: From, transfer?: Transferable[]): void;
}

interface Scope<From> extends OwnPort<From> {
  name: string;
  onmessage: unknown;
}
declare const DedicatedWorkerGlobalScope: (new () => Scope<never>) | undefined;

/** Hears the page's messages where this is the worker that was started as `role`; anywhere else nothing happens. */
export function serveAs<To, From>(role: Role, open: (port: OwnPort<From>) => (message: To) => void): void {
  const listen = (port: OwnPort<From>) => {
    const receive = open(port);
    (port as Scope<From>).onmessage = ({ data }: MessageEvent<To>) => receive(data);
  };
  if (isNode()) {
    void nodeModule("node:worker_threads").then(({ parentPort, workerData }) => {
      if (workerData === role) listen(parentPort as OwnPort<From>);
    });
    return;
  }
  const scope: unknown = globalThis;
  const isWorker = typeof DedicatedWorkerGlobalScope !== "undefined" && scope instanceof DedicatedWorkerGlobalScope;
  if (isWorker && scope.name === role) listen(scope as Scope<From>);
}
