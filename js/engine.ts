// A device and its worker, started again when it has died.

import { findAssets } from "./assets.js";
import { Connection } from "./connection.js";
import { disposed, invalid } from "./errors.js";
import type { Diagnostics, GpuKnobs, StartOptions } from "./protocol.js";
import { absolute } from "./source.js";
import { hasWorkers } from "./transport.js";
import type { DeviceInfo, EngineOptions } from "./types.js";
import { checkFlag, checkOptions, checkText } from "./validate.js";
import { version } from "./version.js";

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

  /** @internal For tests and benchmarks. */
  async diagnostics(): Promise<Diagnostics> {
    return (await this.connect()).call("diagnostics", {});
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
  const { device = "auto", threads, worker = hasWorkers(), powerPreference, assets, gpu } = options;
  if (!["auto", "cpu", "webgpu"].includes(device))
    throw invalid(`device should be "auto", "webgpu" or "cpu", not ${JSON.stringify(device)}`);
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    throw invalid(`threads should be a whole number of 1 or more, not ${threads}`);
  checkFlag(worker, "worker");
  if (powerPreference !== undefined && !["low-power", "high-performance"].includes(powerPreference))
    throw invalid(
      `powerPreference should be "low-power" or "high-performance", not ${JSON.stringify(powerPreference)}`,
    );
  return {
    version,
    assets: findAssets(assets === undefined ? undefined : folderUrl(assets)),
    device,
    inPage: !worker,
    ...(powerPreference !== undefined && { powerPreference }),
    ...(gpu !== undefined && { gpu: checkGpu(gpu) }),
    ...(threads !== undefined && { threads }),
  };
}

function checkGpu(gpu: GpuKnobs): GpuKnobs {
  checkOptions(gpu, "gpu");
  const { without = [], basicLimits = false, integerDot = false, profile = false } = gpu;
  without.forEach((feature, at) => checkText(feature, `gpu.without[${at}]`));
  return {
    without,
    basicLimits: checkFlag(basicLimits, "gpu.basicLimits"),
    integerDot: checkFlag(integerDot, "gpu.integerDot"),
    profile: checkFlag(profile, "gpu.profile"),
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
