// One wasm instance: the right build, compiled and started, and every call into it watched for traps.

import type { Choice } from "./capabilities.js";
import { AzulejoError, asError } from "./errors.js";
import type { Job } from "./jobs.js";
import { isNode, nodeModule } from "./platform.js";
import { startThreads } from "./pool.js";
import type { StartOptions } from "./protocol.js";
import type { GpuInfo, GpuOptions } from "./simd/azulejo.js";

export type Core = typeof import("./simd/azulejo.js");
type ThreadsCore = typeof import("./threads/azulejo.js");

/** Each thread's stack in wasm memory; a multiple of 64 KiB. */
export const STACK = 1 << 20;
const PAGE = 65536;

export class Instance {
  readonly core: Core;
  readonly memory: WebAssembly.Memory | undefined;
  /** Ends the pool's threads. */
  readonly stop: () => void;
  /** Why it can no longer be used. */
  dead?: AzulejoError;
  readonly onDeath = new Set<(error: AzulejoError) => void>();
  /** The time that generations' steps have spent in the core. */
  stepMs = 0;
  #gpu?: Promise<GpuInfo>;

  constructor(core: Core, memory: WebAssembly.Memory | undefined, stop: () => void) {
    this.core = core;
    this.memory = memory;
    this.stop = stop;
  }

  /** Every call into wasm goes through here: after a trap the instance must never be entered again. */
  call<T>(work: (core: Core) => T): T {
    if (this.dead !== undefined) throw this.dead;
    return this.#enter(work);
  }

  /** A generation's step, whose time counts. */
  step<T>(work: (core: Core) => T): T {
    const start = performance.now();
    try {
      return this.call(work);
    } finally {
      this.stepMs += performance.now() - start;
    }
  }

  /** Calls `work` until it has an answer: null means that it waits for the GPU. */
  async finish<T>(job: Job, work: (core: Core) => T | null): Promise<T> {
    for (;;) {
      job.check();
      const answer = this.call(work);
      if (answer !== null) return answer;
      await this.turn(job.signal);
    }
  }

  /** The GPU's next event, or the signal's abort or this instance's death if that comes first. */
  async turn(signal: AbortSignal): Promise<void> {
    let wake = () => {};
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.onDeath.add(wake);
    signal.addEventListener("abort", wake);
    try {
      await Promise.race([this.call((core) => core.gpuTurn()), woken]);
    } finally {
      this.onDeath.delete(wake);
      signal.removeEventListener("abort", wake);
    }
  }

  /** Frees an object of the core's. After a trap its memory goes with the worker. */
  free(object: { free(): void } | undefined): void {
    if (object !== undefined && (this.dead === undefined || this.isLost)) this.#enter(() => object.free());
  }

  /** Whether it died of its GPU: then the core itself is whole. */
  get isLost(): boolean {
    return this.dead?.code === "device-lost";
  }

  /** Its one GPU: whoever shares the instance shares it, as the first has asked for it. */
  openGpu(options: GpuOptions): Promise<GpuInfo> {
    this.#gpu ??= this.#openGpu(options).catch((error) => {
      this.#gpu = undefined;
      throw error;
    });
    return this.#gpu;
  }

  async #openGpu(options: GpuOptions): Promise<GpuInfo> {
    const lost = (message: string) => this.#die(new AzulejoError("device-lost", `the GPU was lost: ${message}`));
    const opening = this.call((core) => core.openGpu(options, lost));
    try {
      return await opening;
    } catch (thrown) {
      throw this.#judge(thrown);
    }
  }

  #enter<T>(work: (core: Core) => T): T {
    try {
      return work(this.core);
    } catch (thrown) {
      throw this.#judge(thrown);
    }
  }

  /** What the core has thrown, as the caller's error; ends the instance where it must. */
  #judge(thrown: unknown): AzulejoError {
    const error = isTrap(thrown) ? this.#trapped(thrown) : asError(thrown);
    if (isTrap(thrown) || error.code === "device-lost") this.#die(error);
    return error;
  }

  #trapped(thrown: Error): AzulejoError {
    const full = this.memory !== undefined && this.memory.buffer.byteLength > MOST_MEMORY * 0.9;
    const words = [thrown.message, lastPanic].filter((part) => part !== undefined).join(": ");
    const outOfMemory = full || /out of memory|memory allocation|capacity overflow/i.test(words);
    const code = outOfMemory ? "out-of-memory" : "internal";
    const error = new AzulejoError(code, `the WebAssembly instance has failed: ${words}`);
    if (thrown.stack !== undefined) error.stack = thrown.stack;
    return error;
  }

  #die(error: AzulejoError): void {
    // The first death counts, but a trap is worse than a lost GPU.
    if (this.dead !== undefined && (!this.isLost || error.code === "device-lost")) return;
    this.dead = error;
    for (const listener of this.onDeath) listener(error);
  }
}

export const MOST_MEMORY = 65536 * PAGE;

/** A stack overflow leaves wasm's own stack pointer wherever it was: as bad as a trap. */
function isTrap(thrown: unknown): thrown is Error {
  return (
    thrown instanceof WebAssembly.RuntimeError ||
    (thrown instanceof Error && /call stack|too much recursion/i.test(thrown.message))
  );
}

/** The glue keeps one instance of each build a realm, so engines in the page itself share theirs. */
const inThisRealm: { [build in Choice["build"]]?: Promise<Instance> } = {};

/** The instance of a build, which is made if need be. `choice` is brought up to date with the threads there are. */
export async function openInstance(
  choice: Choice,
  options: StartOptions,
  announce: (port: MessagePort) => void,
): Promise<Instance> {
  const { build } = choice;
  for (;;) {
    const opening = inThisRealm[build];
    const before = await opening?.catch(() => undefined);
    if (opening !== inThisRealm[build]) continue; // another engine was faster
    if (before !== undefined && before.dead === undefined) return before;
    return (inThisRealm[build] = before === undefined ? create(choice, options, announce) : revive(before));
  }
}

async function create(
  choice: Choice,
  options: StartOptions,
  announce: (port: MessagePort) => void,
): Promise<Instance> {
  if (!options.inPage) rememberPanics();
  const module = await compile(choice.build, options.assets);
  if (choice.build === "simd") {
    const core = await import("./simd/azulejo.js");
    const { memory } = await core.default({ module_or_path: module });
    core.start();
    return new Instance(core, memory, () => {});
  }
  const core: ThreadsCore = await import("./threads/azulejo.js");
  const memory = sharedMemory();
  await core.default({ module_or_path: module, memory, thread_stack_size: STACK });
  core.start();
  const pool = await startThreads({ module, memory, stack: STACK }, choice.threads - 1, options.assets, announce);
  core.startPool(pool.count + 1);
  pool.run();
  if (pool.count + 1 < choice.threads) choice.reason = `${choice.threads} threads were asked for: ${pool.reason}`;
  choice.threads = pool.count + 1;
  return new Instance(core, memory, pool.stop);
}

/**
 * In the page there is no worker to start again. A lost GPU leaves the core whole: it opens another. After a trap
 * wasm-bindgen can make a new instance of the same module.
 */
function revive(dead: Instance): Promise<Instance> {
  if (dead.isLost) return Promise.resolve(new Instance(dead.core, dead.memory, dead.stop));
  const { __wbg_reset_state: reset } = dead.core as Core & { __wbg_reset_state?: () => void };
  if (reset === undefined)
    throw new AzulejoError(
      "internal",
      "the WebAssembly instance has failed, and without a worker only loading the page again helps",
    );
  reset();
  dead.core.start();
  return Promise.resolve(new Instance(dead.core, undefined, dead.stop));
}

/** The largest the device lets us reserve: 4 GiB, less on some phones. */
function sharedMemory(): WebAssembly.Memory {
  for (let maximum = MOST_MEMORY / PAGE; ; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: 256, maximum, shared: true });
    } catch (thrown) {
      if (maximum <= 4096) throw asError(thrown);
    }
  }
}

/** The .wasm of a build, where the bundler put it or where the caller says. */
async function compile(build: Choice["build"], assets: string | undefined): Promise<WebAssembly.Module> {
  // Spelled out, because bundlers look for exactly this form.
  const url =
    assets !== undefined
      ? new URL(`${build}/azulejo_bg.wasm`, assets)
      : build === "simd"
        ? new URL("./simd/azulejo_bg.wasm", import.meta.url)
        : new URL("./threads/azulejo_bg.wasm", import.meta.url);
  if (url.protocol === "file:" && isNode()) {
    const { readFile } = await nodeModule("node:fs/promises");
    return WebAssembly.compile(await readFile(url));
  }
  const response = await fetch(url).catch((error: Error) => {
    throw new AzulejoError("network", `${url}: ${error.message}`);
  });
  const type = response.headers.get("content-type") ?? "";
  if (!response.ok || type.startsWith("text/html")) {
    throw new AzulejoError(
      "network",
      `${url}: the server answered ${response.status} ${type} where the package's .wasm should lie; ` +
        'the engine option "assets" says where it does',
    );
  }
  // compileStreaming insists on the MIME type, which many a static server does not know.
  if (type.startsWith("application/wasm")) return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Rust's panics end as a bare "unreachable"; what they say goes to the console just before. */
let lastPanic: string | undefined;
function rememberPanics(): void {
  const { error } = console;
  console.error = (...values: unknown[]) => {
    if (typeof values[0] === "string" && values[0].includes("panicked at"))
      lastPanic = values[0].split("\n\nStack:")[0]!.trim();
    error.apply(console, values);
  };
}
