// One wasm instance: the right build, compiled and started, and every call into it watched for traps.

import { choose, type Choice } from "./capabilities.js";
import { AzulejoError, asError } from "./errors.js";
import { isNode, nodeModule } from "./platform.js";
import { startThreads } from "./pool.js";
import type { StartOptions } from "./protocol.js";
import type { DeviceInfo } from "./types.js";

export type Core = typeof import("./simd/azulejo.js");
type ThreadsCore = typeof import("./threads/azulejo.js");

/** Each thread's stack in wasm memory; a multiple of 64 KiB. */
export const STACK = 1 << 20;
const PAGE = 65536;

export class Instance {
  readonly core: Core;
  readonly choice: Choice;
  readonly memory: WebAssembly.Memory | undefined;
  /** Ends the pool's threads. */
  readonly stop: () => void;
  /** Why it can no longer be used. */
  dead?: AzulejoError;
  readonly onDeath = new Set<(error: AzulejoError) => void>();

  constructor(core: Core, choice: Choice, memory: WebAssembly.Memory | undefined, stop: () => void) {
    this.core = core;
    this.choice = choice;
    this.memory = memory;
    this.stop = stop;
  }

  /** Every call into wasm goes through here: after a trap the instance must never be entered again. */
  call<T>(work: (core: Core) => T): T {
    if (this.dead !== undefined) throw this.dead;
    try {
      return work(this.core);
    } catch (thrown) {
      if (!isTrap(thrown)) throw asError(thrown);
      this.#die(thrown);
      throw this.dead;
    }
  }

  /** Frees an object of the core's. A dead instance's memory goes with its worker. */
  free(object: { free(): void } | undefined): void {
    if (object !== undefined && this.dead === undefined) this.call(() => object.free());
  }

  device(): DeviceInfo {
    const { build, threads, reason } = this.choice;
    const features = build === "threads" ? ["simd128", "relaxed-simd"] : ["simd128"];
    if (threads > 1) features.push("threads");
    const info: DeviceInfo = {
      kind: "cpu",
      description: `wasm simd128, ${threads} thread${threads === 1 ? "" : "s"}`,
      features,
    };
    info.reason = ["this version computes on the CPU only", reason].filter((part) => part !== undefined).join("; ");
    return info;
  }

  #die(thrown: Error): void {
    const full = this.memory !== undefined && this.memory.buffer.byteLength > MOST_MEMORY * 0.9;
    const words = [thrown.message, lastPanic].filter((part) => part !== undefined).join(": ");
    const outOfMemory = full || /out of memory|memory allocation|capacity overflow/i.test(words);
    this.dead = new AzulejoError(
      outOfMemory ? "out-of-memory" : "internal",
      `the WebAssembly instance has failed: ${words}`,
    );
    if (thrown.stack !== undefined) this.dead.stack = thrown.stack;
    for (const listener of this.onDeath) listener(this.dead);
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

/** The glue keeps one instance a realm, so engines in the page itself share theirs. */
let inThisRealm: Promise<Instance> | undefined;

export async function openInstance(options: StartOptions, announce: (port: MessagePort) => void): Promise<Instance> {
  const before = await inThisRealm?.catch(() => undefined);
  if (before !== undefined && before.dead === undefined) return before;
  inThisRealm = before === undefined ? create(options, announce) : revive(before);
  return inThisRealm;
}

async function create(options: StartOptions, announce: (port: MessagePort) => void): Promise<Instance> {
  if (!options.inPage) rememberPanics();
  const choice = await choose(options.threads, options.inPage);
  const module = await compile(choice.build, options.assets);
  if (choice.build === "simd") {
    const core = await import("./simd/azulejo.js");
    const { memory } = await core.default({ module_or_path: module });
    core.start();
    return new Instance(core, choice, memory, () => {});
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
  return new Instance(core, choice, memory, pool.stop);
}

/** In the page there is no worker to start again, but wasm-bindgen can make a new instance of the same module. */
function revive(dead: Instance): Promise<Instance> {
  const { __wbg_reset_state: reset } = dead.core as Core & { __wbg_reset_state?: () => void };
  if (reset === undefined)
    throw new AzulejoError(
      "internal",
      "the WebAssembly instance has failed, and without a worker only loading the page again helps",
    );
  reset();
  dead.core.start();
  return Promise.resolve(new Instance(dead.core, dead.choice, undefined, dead.stop));
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
