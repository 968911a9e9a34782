// The worker's entry: a host at the other end of this worker's channel.

import { Host } from "./host.js";
import { isNode, nodeModule } from "./platform.js";
import type { FromHost, ToHost } from "./protocol.js";

interface Scope {
  onmessage: unknown;
  postMessage(message: FromHost, transfer?: Transferable[]): void;
}

function serve(scope: Scope): void {
  const host = new Host(scope);
  scope.onmessage = ({ data }: MessageEvent<ToHost>) => host.receive(data);
}

if (isNode()) void nodeModule("node:worker_threads").then(({ parentPort }) => serve(parentPort as Scope));
else serve(self as unknown as Scope);
