// A device and its worker, started again when it has died.

import { Connection } from "./connection.js";
import { AzulejoError, disposed, invalid } from "./errors.js";
import type { StartOptions } from "./protocol.js";
import { absolute } from "./source.js";
import type { DeviceInfo, EngineOptions } from "./types.js";
import { checkOptions } from "./validate.js";

/** A device and its worker. Models share one: `load` without `engine` uses a default one. */
export class Engine {
  readonly #options: StartOptions;
  #connection?: Promise<Connection>;
  #device!: DeviceInfo;
  #disposed = false;

  private constructor(options: StartOptions) {
    this.#options = options;
  }

  static async create(options: EngineOptions = {}): Promise<Engine> {
    const engine = new Engine(startOptions(options));
    await engine.connect();
    return engine;
  }

  get device(): DeviceInfo {
    return this.#device;
  }

  /** Frees every model and the device. Models of a disposed engine reject with code "disposed". */
  async dispose(): Promise<void> {
    this.#disposed = true;
    const connection = await this.#connection?.catch(() => undefined);
    connection?.die(disposed("the engine"));
  }

  /** @internal The host that lives now; a new one if the last has died. */
  connect(): Promise<Connection> {
    if (this.#disposed) return Promise.reject(disposed("the engine"));
    return (this.#connection ??= this.#open());
  }

  /** @internal */
  get isDisposed(): boolean {
    return this.#disposed;
  }

  #open(): Promise<Connection> {
    const forget = () => {
      if (this.#connection === opening) this.#connection = undefined;
    };
    const opening = Connection.open(this.#options, () => forget()).then((connection) => {
      this.#device = connection.device;
      return connection;
    });
    opening.catch(forget);
    return opening;
  }
}

function startOptions(options: EngineOptions): StartOptions {
  checkOptions(options, "options");
  const { device = "auto", threads, worker = true, assets } = options;
  if (!["auto", "cpu", "webgpu"].includes(device))
    throw invalid(`device should be "auto", "webgpu" or "cpu", not ${JSON.stringify(device)}`);
  if (device === "webgpu") throw new AzulejoError("no-webgpu", "this version computes on the CPU only");
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    throw invalid(`threads should be a whole number of 1 or more, not ${threads}`);
  if (typeof worker !== "boolean") throw invalid("worker should be true or false");
  return {
    inPage: !worker,
    ...(threads !== undefined && { threads }),
    ...(assets !== undefined && { assets: folderUrl(assets) }),
  };
}

function folderUrl(assets: string | URL): string {
  const url = absolute(String(assets));
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url.href;
}

/** The one that `load` and `inspect` use when they are given none. */
export async function defaultEngine(): Promise<Engine> {
  const creating = (shared ??= Engine.create());
  const forget = () => {
    if (shared === creating) shared = undefined;
  };
  try {
    const engine = await creating;
    if (!engine.isDisposed) return engine;
  } catch (error) {
    forget();
    throw error;
  }
  forget();
  return defaultEngine();
}
let shared: Promise<Engine> | undefined;
