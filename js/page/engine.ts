// A device and its worker, started again when it has died.

import { findAssets } from "../assets.js";
import { disposed, invalid } from "../shared/errors.js";
import type { Diagnostics, GpuDiagnostics, StartOptions } from "../shared/protocol.js";
import type { DeviceInfo, EngineOptions, GpuKnobs } from "../shared/types.js";
import { version } from "../shared/version.js";
import { Connection } from "./connection.js";
import { asyncDispose } from "./dispose.js";
import { oneOf, optionsOf } from "./options.js";
import { absolute, tagOf } from "./source.js";
import { hasWorkers } from "./transport.js";
import { checkFlag, checkList, checkText, count, describe } from "./validate.js";

/**
 * A device and its worker. Models share one: `load` without `engine` uses a default one. An engine that nobody holds,
 * no model of it either, ends by itself; `dispose` ends it at once.
 */
export class Engine {
  readonly #home: Home;

  private constructor(options: StartOptions) {
    this.#home = { options, disposed: false };
    abandoned.register(this, this.#home, this.#home);
  }

  /** Rejects with "no-webgpu" where WebGPU is asked for by name and cannot be had. */
  static async create(options?: EngineOptions): Promise<Engine> {
    const engine = new Engine(startOptions(options));
    await engine.connect();
    return engine;
  }

  /** What it computes on. */
  get device(): DeviceInfo {
    return this.#home.device!;
  }

  /**
   * Counts for tests and bug reports. `models`, `sessions` and `jobs` (calls that the worker is at, but for this one);
   * `wasmBytes`, the size of WebAssembly's memory, which only grows, and of it `liveBytes`, what is allocated now, and
   * `peakBytes`, the most that ever was since the worker started. On several threads, since they were started:
   * `poolShared`, loops that they could join, and `poolAlone`, those too short or begun after a stall; `poolWakeUps`;
   * `poolWaits`, how often all slept until one had finished, and `poolStalls`, how often that took so long that one thread
   * went on alone for a while, since the machine is busy. On WebGPU, of all models since the device was
   * opened: `gpuSteps`, `gpuDispatches`, `gpuPasses`, `gpuSubmits`, `gpuReadBytes`, `gpuCpuMs`; and `gpuAllocatedBytes`,
   * of the buffers that are alive now.
   */
  async diagnostics(): Promise<Record<string, number>> {
    const { gpu, pool, ...counts } = await this.#diagnose();
    return { ...counts, ...prefixed("pool", pool), ...prefixed("gpu", gpu) };
  }

  /** @internal For benchmarks: the GPU's counts, kernel by kernel where the engine was made with `profile`. */
  async profile(): Promise<GpuDiagnostics | undefined> {
    return (await this.#diagnose()).gpu;
  }

  /**
   * Frees every model, the device and WebAssembly's memory, which grows with the largest models and is given back in no
   * other way. Models of a disposed engine reject with code "disposed". Under Node the worker has ended when it resolves.
   */
  async dispose(): Promise<void> {
    abandoned.unregister(this.#home);
    await leave(this.#home);
  }

  /** `dispose`, for `await using`. */
  [asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** @internal The host that lives now; a new one if the last has died. */
  connect(): Promise<Connection> {
    if (this.#home.disposed) return Promise.reject(disposed("the engine"));
    return (this.#home.connection ??= open(this.#home));
  }

  /** @internal */
  get isDisposed(): boolean {
    return this.#home.disposed;
  }

  async #diagnose(): Promise<Diagnostics> {
    return (await this.connect()).call("diagnostics", {}, { owner: this });
  }
}

/** What an engine has, apart from it: what is reached from its worker must not hold the engine. */
interface Home {
  readonly options: StartOptions;
  connection?: Promise<Connection> | undefined;
  /** The one before, which has died. */
  last?: Promise<Connection>;
  device?: DeviceInfo;
  disposed: boolean;
}

function open(home: Home): Promise<Connection> {
  const forget = () => {
    if (home.connection !== opening) return;
    home.connection = undefined;
    home.last = opening;
  };
  const start = async () => {
    // First it has written what it was writing, and its memory is free.
    const last = await home.last?.catch(() => undefined);
    await last?.gone;
    const connection = await Connection.open(home.options, () => forget());
    home.device = connection.device;
    return connection;
  };
  const opening = start();
  opening.catch(forget);
  return opening;
}

async function leave(home: Home): Promise<void> {
  home.disposed = true;
  const connection = await home.connection?.catch(() => undefined);
  connection?.die(disposed("the engine"));
  await connection?.gone;
}

/** Engines that nobody disposed of. Their models hold them. */
const abandoned = /* @__PURE__ */ new FinalizationRegistry<Home>((home) => void leave(home));

/** @internal Which device an engine is to have. */
export const readDevice = /* @__PURE__ */ oneOf("auto", "webgpu", "cpu");

const readKnobs = /* @__PURE__ */ optionsOf<GpuKnobs>("gpu", {
  without: (value, name) => checkList(value, name, "features", checkText),
  basicLimits: checkFlag,
  integerDot: checkFlag,
  profile: checkFlag,
  lanes: /* @__PURE__ */ count(4),
  tuning: (value, name) => (value === "anew" ? value : checkFlag(value, name)),
});

const readEngine = /* @__PURE__ */ optionsOf<EngineOptions>("Engine.create", {
  device: readDevice,
  threads: /* @__PURE__ */ count(1),
  worker: checkFlag,
  powerPreference: /* @__PURE__ */ oneOf("low-power", "high-performance"),
  gpu: (value, name) => readKnobs(value as GpuKnobs, name),
  assets: folderUrl,
});

function startOptions(options: EngineOptions | undefined): StartOptions {
  const { device = "auto", worker = hasWorkers(), powerPreference, gpu, threads, assets } = readEngine(options);
  return {
    version,
    assets: findAssets(assets === undefined ? undefined : String(assets)),
    device,
    inPage: !worker,
    ...(powerPreference !== undefined && { powerPreference }),
    ...(gpu !== undefined && { gpu: { without: [], basicLimits: false, integerDot: false, profile: false, ...gpu } }),
    ...(threads !== undefined && { threads }),
  };
}

function folderUrl(assets: unknown, name: string): string {
  if (typeof assets !== "string" && tagOf(assets) !== "URL")
    throw invalid(`${name} should be a URL, not ${describe(assets)}`);
  const url = absolute(String(assets));
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url.href;
}

/** @internal The one that `load` and `inspect` use when they are given none: one for each choice of a device. */
export async function defaultEngine(device: NonNullable<EngineOptions["device"]> = "auto"): Promise<Engine> {
  const creating = shared.get(device) ?? Engine.create({ device });
  shared.set(device, creating);
  const forget = () => {
    if (shared.get(device) === creating) shared.delete(device);
  };
  try {
    const engine = await creating;
    if (!engine.isDisposed) return engine;
  } catch (error) {
    forget();
    throw error;
  }
  forget();
  return defaultEngine(device);
}
/** They stay, held by nobody else. */
const shared = new Map<string, Promise<Engine>>();

/** The numbers of an object, `wakeUps` as `poolWakeUps`. */
function prefixed(prefix: string, counts: object = {}): Record<string, number> {
  const numbers = Object.entries(counts).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return Object.fromEntries(numbers.map(([name, value]) => [`${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`, value]));
}
