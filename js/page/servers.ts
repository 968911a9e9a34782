// The way to models on servers, for a `fallback`: its code is fetched at the first one that is needed.

import { AzulejoError } from "../shared/errors.js";
import type { Task } from "../shared/protocol.js";
import type { ModelSummary, RemoteOptions } from "../shared/types.js";
import type { Model } from "./model.js";

type Connect = (task: Task, options: RemoteOptions, signal?: AbortSignal, summary?: ModelSummary) => Promise<Model>;

let connectHere: Connect | undefined;

/** For `azulejo/in-this-thread`: where nothing can be imported later, as in a service worker. */
export function provideServers(connect: Connect): void {
  connectHere = connect;
}

export async function connectTo(...server: Parameters<Connect>): Promise<Model> {
  const connect = connectHere ?? (await importConnect());
  return connect(...server);
}

async function importConnect(): Promise<Connect> {
  try {
    return (await import("../remote/connect.js")).connect;
  } catch (error) {
    throw new AzulejoError("network", `fallback: the package's modules are gone from here (${(error as Error).message})`, undefined, { cause: error });
  }
}
