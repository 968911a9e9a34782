// A model as its class sees it, wherever it computes: in a worker (remote.ts), or on a server (../remote/).

import type { CallName, Calls, Loaded, WireDownloadOptions } from "../shared/protocol.js";
import type { Fetch, ModelServer } from "../shared/types.js";
import type { CallOptions, Connection } from "./connection.js";
import type { Engine } from "./engine.js";
import type { Source } from "./source.js";
import type { LoadOptions } from "./types-load.js";

/** Calls about a model, without the model's own id. */
export type ModelCall = { [K in CallName]: Calls[K]["takes"] extends { model: number } ? K : never }[CallName];
export type TakesOf<K extends ModelCall> = Omit<Calls[K]["takes"], "model">;

/** How the files of a model, or of an adapter, are read. */
export interface Reading {
  source: Source;
  download: WireDownloadOptions;
  fetch: Fetch | undefined;
  onProgress: LoadOptions["onProgress"];
}

/** The way to where the model is now; another one when that has changed. */
export type Link = Pick<Connection, "call">;

export interface Model {
  readonly id: number;
  /** Throws "unsupported-model" where none of ours computes. */
  readonly engine: Engine;
  /** What the model has said of itself. */
  readonly loaded: Loaded;
  /** Where it is, if not here. */
  readonly server?: ModelServer | undefined;
  reach(signal?: AbortSignal): Promise<Link>;
  call<K extends ModelCall>(name: K, takes: TakesOf<K>, options?: CallOptions): Promise<Calls[K]["gives"]>;
  /** At once, for who has reached it already. */
  callAt<K extends ModelCall>(link: Link, name: K, takes: TakesOf<K>, options?: CallOptions): Promise<Calls[K]["gives"]>;
  /** This model with an adapter beside its weights. */
  adapted(adapter: Reading, scale: number, signal?: AbortSignal, site?: Error): Promise<Model>;
  dispose(): Promise<void>;
}
