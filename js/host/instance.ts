// One wasm instance: the right build, compiled and started, and every call into it watched for traps.

import * as relaxed from "../relaxed/azulejo.js";
import { AzulejoError, asError, invalid } from "../shared/errors.js";
import type { Job } from "../shared/jobs.js";
import type { PoolDiagnostics, StartOptions, Stranger } from "../shared/protocol.js";
import type { GpuKnobs, KernelTuning } from "../shared/types.js";
import { version } from "../shared/version.js";
import * as simd from "../simd/azulejo.js";
import type { GpuInfo, GpuOptions, Tuning } from "../simd/azulejo.js";
import * as threads from "../threads/azulejo.js";
import type { Choice } from "./capabilities.js";
import { forgetRefusal, readNotes, type Notes } from "./notes.js";
import { startThreads } from "./pool.js";
import { readTrap } from "./traps.js";
import { tune } from "./tuning.js";
import { compile, fitting } from "./wasm.js";

export type Core = typeof simd;

/** Each thread's stack in wasm memory; a multiple of 64 KiB. */
export const STACK = 1 << 20;
const PAGE = 65536;
/** How often a GPU that is slow to say that it is done is asked, by giving it nothing to do. */
const NUDGE_MS = 2;

/** A GPU, and which ways of its kernels were chosen. */
export type OpenGpu = GpuInfo & { tuning: KernelTuning | undefined };

export class Instance {
  readonly core: Core;
  readonly memory: WebAssembly.Memory;
  /** The bytes that the memory may grow to. */
  readonly most: number;
  readonly #notesAt: number;
  /** The same core, where it has several threads. */
  pool?: typeof threads;
  /** Why it can no longer be used. */
  dead?: AzulejoError;
  /** Told before and after a stranger's program is at work. In the page's own thread nobody could hear of it. */
  onStranger?: (stranger?: Stranger) => void;
  readonly onDeath = new Set<(error: AzulejoError) => void>();
  /** The time that generations' steps have spent in the core. */
  stepMs = 0;
  #gpu?: Promise<OpenGpu> | undefined;
  /** What it was opened with. */
  #gpuOptions = "";
  /** Who has opened it and not left it yet. */
  #gpuUsers = 0;
  /** It says that it is done at ticks of its own, unless something is given to it: Firefox looks every 100 ms. */
  #gpuIsLate = false;
  /** It died in a trap. */
  #isTrapped = false;

  /** `core` has started. */
  constructor(core: Core, memory: WebAssembly.Memory, most = MOST_MEMORY) {
    this.core = core;
    this.memory = memory;
    this.most = most;
    this.#notesAt = core.notesAt();
  }

  /** Every call into wasm goes through here: after a trap the instance must never be entered again. */
  call<T>(work: (core: Core) => T): T {
    if (this.dead !== undefined) throw this.dead;
    return this.#enter(work);
  }

  /** A stranger's program in the core, tokenizer or chat template, at a text of so many bytes: the page watches over it. */
  stranger<T>(id: number, what: string, bytes: number, work: (core: Core) => T): T {
    this.onStranger?.({ id, what, bytes });
    try {
      return this.call(work);
    } finally {
      this.onStranger?.();
    }
  }

  /** What the core has noted of its heap. */
  get notes(): Notes {
    return readNotes(this.memory, this.#notesAt);
  }

  /** What its threads have done together; of one thread nothing. */
  poolCounts(): PoolDiagnostics | undefined {
    const { pool } = this;
    if (pool === undefined) return undefined;
    const [shared = 0, alone = 0, wakeUps = 0, waits = 0, stalls = 0] = this.call(() => pool.poolCounts());
    return { shared, alone, wakeUps, waits, stalls };
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
    const nudge = () => {
      if (this.dead === undefined) this.#enter((core) => core.gpuNudge());
    };
    const nudging = this.#gpuIsLate ? setInterval(nudge, NUDGE_MS) : undefined;
    try {
      await Promise.race([this.call((core) => core.gpuTurn()), woken]);
    } finally {
      clearInterval(nudging);
      this.onDeath.delete(wake);
      signal.removeEventListener("abort", wake);
    }
  }

  /** Frees an object of the core's. After a trap its memory goes with the worker. */
  free(object: { free(): void } | undefined): void {
    if (object !== undefined && !this.#isTrapped) this.#enter(() => object.free());
  }

  /** Whether it died of its GPU, lost or not to be trusted any longer: then the core itself is whole. */
  get isLost(): boolean {
    return this.dead !== undefined && !this.#isTrapped;
  }

  /** Its one GPU: whoever shares the instance shares it, and cannot have it otherwise than the first has asked for it. */
  async openGpu(options: GpuOptions & Pick<GpuKnobs, "tuning">): Promise<OpenGpu> {
    const asked = JSON.stringify(options);
    if (this.#gpu !== undefined && asked !== this.#gpuOptions) {
      const said = `another engine in this thread has opened the GPU with ${this.#gpuOptions}, not with ${asked}`;
      throw invalid(`powerPreference and gpu: ${said}; dispose of it, or take an engine with a worker of its own`);
    }
    this.#gpuOptions = asked;
    this.#gpu ??= this.#openGpu(options).catch((error) => {
      this.#gpu = undefined;
      throw error;
    });
    const info = await this.#gpu;
    this.#gpuUsers++;
    return info;
  }

  /** Who has opened it needs it no more. The last one to go ends the device. */
  leaveGpu(): void {
    if (--this.#gpuUsers > 0 || this.dead !== undefined) return;
    this.#gpu = undefined;
    this.#enter((core) => core.closeGpu());
  }

  async #openGpu({ tuning, ...options }: GpuOptions & Pick<GpuKnobs, "tuning">): Promise<OpenGpu> {
    const lost = (message: string) => this.#die(new AzulejoError("device-lost", `the GPU was lost: ${message}`));
    const opening = this.call((core) => core.openGpu(options, lost));
    try {
      const info = await opening;
      this.#gpuIsLate = info.isLate;
      const tuner = { measure: () => this.#tune(), choose: (kept: Tuning) => this.#choose(kept) };
      return { ...info, tuning: await tune(tuner, info, tuning) };
    } catch (thrown) {
      throw this.#judge(thrown);
    }
  }

  /** Nothing where there is no room for what is measured. */
  async #tune(): Promise<Tuning | undefined> {
    try {
      return await this.call((core) => core.tuneGpu());
    } catch (thrown) {
      const error = this.#judge(thrown);
      if (error.code !== "out-of-memory" || this.dead !== undefined) throw error;
      return undefined;
    }
  }

  #choose(kept: Tuning): boolean {
    try {
      this.call((core) => core.chooseKernels(kept));
      return true;
    } catch (thrown) {
      if (this.dead !== undefined) throw thrown;
      return false;
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
    if (isTrap(thrown)) {
      const error = this.#trapped(thrown);
      this.#die(error, true);
      return error;
    }
    const error = asError(thrown);
    if (error.code === "out-of-memory") forgetRefusal(this.memory, this.#notesAt);
    if (error.code === "device-lost" || (mayBeOfGpu(error) && this.#gpuIsBroken())) this.#die(error);
    return error;
  }

  #gpuIsBroken(): boolean {
    return this.#gpu !== undefined && this.dead === undefined && this.core.gpuIsBroken();
  }

  #trapped(thrown: Error): AzulejoError {
    const { memory, most } = this;
    const { code, message } = readTrap(thrown.message, { memory, most, notesAt: this.#notesAt });
    const error = new AzulejoError(code, `the WebAssembly instance has failed: ${message}`);
    if (thrown.stack !== undefined) error.stack = thrown.stack;
    return error;
  }

  #die(error: AzulejoError, isTrap = false): void {
    // The first death counts, but a trap is worse than a lost GPU.
    if (this.dead !== undefined && (this.#isTrapped || !isTrap)) return;
    this.dead = error;
    this.#isTrapped = isTrap;
    for (const listener of this.onDeath) listener(error);
  }
}

const MOST_MEMORY = 65536 * PAGE;

/** What the core says where the GPU has failed. */
function mayBeOfGpu({ code }: AzulejoError): boolean {
  return code === "internal" || code === "out-of-memory";
}

/**
 * The core throws plain objects. Any exception besides comes from below it, or through it from the browser: it has left
 * wasm in the midst of something, as a trap does.
 */
function isTrap(thrown: unknown): thrown is Error {
  return thrown instanceof Error && !(thrown instanceof AzulejoError);
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
    const next = before === undefined ? create(choice, options, announce) : Promise.resolve(revive(before));
    return (inThisRealm[build] = next);
  }
}

async function create(
  choice: Choice,
  options: StartOptions,
  announce: (port: MessagePort) => void,
): Promise<Instance> {
  const { build } = choice;
  const url = options.assets[build];
  const module = await compile(url);
  if (build === "simd") {
    const { memory } = await fitting(url, simd.default({ module_or_path: module }));
    simd.start();
    return new Instance(simd, memory);
  }
  const core = build === "relaxed" ? relaxed : threads;
  const { memory, most } = sharedMemory();
  await fitting(url, core.default({ module_or_path: module, memory, thread_stack_size: STACK }), { memory, most });
  core.start();
  const shared = { version, build, module, memory, most, notesAt: core.notesAt(), stack: STACK };
  const pool = await startThreads(shared, choice.threads - 1, options.assets.thread, announce);
  // Those for which there was no room are done without.
  forgetRefusal(memory, shared.notesAt);
  core.startPool(pool.count + 1);
  pool.run();
  if (pool.count + 1 < choice.threads) choice.reason = `${choice.threads} threads were asked for: ${pool.reason}`;
  choice.threads = pool.count + 1;
  const instance = new Instance(core, memory, most);
  if (pool.count > 0) instance.pool = core;
  return instance;
}

/**
 * In the page, where there is always the build without threads, there is no worker to start again. A lost GPU leaves the
 * core whole: it opens another. After a trap there is a new instance of the same module.
 */
function revive(dead: Instance): Instance {
  if (dead.isLost) return new Instance(dead.core, dead.memory, dead.most);
  simd.__wbg_reset_state();
  const { memory } = simd.initSync();
  simd.start();
  return new Instance(simd, memory);
}

/** The largest the device lets us reserve: 4 GiB, less on some phones. */
function sharedMemory(): { memory: WebAssembly.Memory; most: number } {
  for (let maximum = MOST_MEMORY / PAGE; ; maximum /= 2) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 256, maximum, shared: true }), most: maximum * PAGE };
    } catch (thrown) {
      if (maximum <= 4096) throw asError(thrown);
    }
  }
}
