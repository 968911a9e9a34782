// A call while the host works on it, and the queue of those that wait for the same model.

import { AzulejoError, disposed } from "./errors.js";
import { nextTurn } from "./platform.js";

export class Job {
  readonly id: number;
  /** Whose it is, so that disposing ends it. */
  readonly model?: number;
  readonly session?: number;
  readonly #controller = new AbortController();

  constructor(id: number, model?: number, session?: number) {
    this.id = id;
    this.model = model;
    this.session = session;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(code: "aborted" | "disposed", what = "the model"): void {
    this.#controller.abort(code === "disposed" ? disposed(what) : new AzulejoError("aborted", "aborted by the caller"));
  }

  /** Whether the caller has asked for the end; throws if what it works on is being disposed of. */
  get aborted(): boolean {
    if (!this.signal.aborted) return false;
    if ((this.signal.reason as AzulejoError).code === "disposed") throw this.signal.reason;
    return true;
  }

  check(): void {
    if (this.signal.aborted) throw this.signal.reason;
  }

  /** `promise`, or the abort if that comes first. */
  async orAbort<T>(promise: Promise<T>): Promise<T> {
    this.check();
    let stop = () => {};
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(this.signal.reason);
      this.signal.addEventListener("abort", stop);
    });
    try {
      return await Promise.race([promise, aborted]);
    } finally {
      this.signal.removeEventListener("abort", stop);
    }
  }
}

/** One at a time, in the order of arrival. Who is aborted while waiting leaves at once. */
export class Queue {
  #busy = false;
  readonly #waiting: (() => void)[] = [];

  async run<T>(job: Job, work: () => Promise<T>): Promise<T> {
    await this.#turn(job);
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  /** The same; `instead` where it is aborted before its turn comes. */
  async runOr<T>(job: Job, work: () => Promise<T>, instead: () => T): Promise<T> {
    try {
      return await this.run(job, work);
    } catch (error) {
      if ((error as AzulejoError).code !== "aborted") throw error;
      return instead();
    }
  }

  async #turn(job: Job): Promise<void> {
    job.check();
    if (!this.#busy) {
      this.#busy = true;
      return;
    }
    let mine = () => {};
    const turn = new Promise<void>((resolve) => {
      mine = resolve;
    });
    this.#waiting.push(mine);
    try {
      await job.orAbort(turn);
    } catch (aborted) {
      const at = this.#waiting.indexOf(mine);
      if (at >= 0) this.#waiting.splice(at, 1);
      else this.#next(); // Its turn came together with the abort.
      throw aborted;
    }
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#busy = false;
    else next();
  }
}

/** Lets messages in when this thread has worked for a while. */
export class Breath {
  readonly #longest: number;
  #since = performance.now();

  constructor(longestMs: number) {
    this.#longest = longestMs;
  }

  async take(): Promise<void> {
    if (performance.now() - this.#since < this.#longest) return;
    await nextTurn();
    this.#since = performance.now();
  }
}
