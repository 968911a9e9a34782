// Work that several calls wait for: done once, and ended only when none of them wants it any more.

import { aborted } from "../shared/errors.js";

export class SharedWork {
  /** When it has ended, however. */
  readonly over: Promise<void>;
  readonly #controller = new AbortController();
  readonly #result: Promise<void>;
  #waiting = 0;

  constructor(work: (signal: AbortSignal) => Promise<void>) {
    this.#result = work(this.#controller.signal);
    this.over = this.#result.catch(() => {}); // Who waits hears of it.
  }

  /** Whether it is being ended: it cannot be joined any more. */
  get isEnding(): boolean {
    return this.#controller.signal.aborted;
  }

  async join(signal?: AbortSignal): Promise<void> {
    this.#waiting++;
    try {
      return await orAborted(this.#result, signal);
    } finally {
      if (--this.#waiting === 0) this.end();
    }
  }

  /** For all who wait. */
  end(): void {
    this.#controller.abort();
  }
}

/** That many milliseconds. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await orAborted(passed, signal).finally(() => clearTimeout(timer));
}

/** `promise`, or the abort if that comes first. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) {
    promise.catch(() => {}); // Nobody hears of it.
    throw aborted(signal);
  }
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(aborted(signal));
  });
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
