// A tap on the channel between page and worker: it counts the messages each way, and ends the worker just before or just
// after one of them. From then on nothing of that worker is heard but its end.

import { syncBuiltinESMExports } from "node:module";
import threads from "node:worker_threads";

const { Worker } = threads;

/**
 * Which messages are counted: of those that there are as many of as a machine has time for, the first alone, so that each
 * play has as many.
 */
export function firstsOnly() {
  const had = new Set();
  return ({ kind }) => {
    const isCounted = !had.has(kind);
    if (kind === "progress" || kind === "tokens") had.add(kind);
    return isCounted;
  };
}

export class Tap {
  /** Workers that have not ended. */
  alive = new Set();
  counts = { "to-worker": 0, "from-worker": 0 };
  /** How many workers it has ended. */
  killed = 0;
  /** What a worker is started with, in place of what was given. */
  starts = (given) => given;
  #at = {};
  #isCounted = firstsOnly();
  #ends = [];

  /** From now on every worker that is started passes its messages through here. */
  install() {
    const tap = this;
    threads.Worker = class extends Worker {
      #dead = false;

      constructor(...given) {
        super(...tap.starts(given));
        tap.started(this);
      }

      postMessage(...given) {
        this.#pass("to-worker", given[0], () => super.postMessage(...given));
      }

      emit(event, ...given) {
        if (event !== "message") return super.emit(event, ...given);
        return this.#pass("from-worker", given[0], () => super.emit(event, ...given));
      }

      #pass(direction, message, deliver) {
        if (this.#dead) return;
        const fate = tap.fateOf(direction, message);
        if (fate !== "before") deliver();
        if (fate === undefined) return;
        this.#dead = true;
        tap.killed++;
        tap.#ends.push(new Promise((resolve) => this.once("exit", resolve)));
        this.terminate();
      }
    };
    syncBuiltinESMExports();
  }

  started(worker) {
    this.alive.add(worker);
    worker.once("exit", () => this.alive.delete(worker));
  }

  /** The worker ends around the `at`th message of a direction, with `onwards` each worker after it at its first. */
  arm({ direction, when, at, onwards = false }) {
    this.counts = { "to-worker": 0, "from-worker": 0 };
    this.killed = 0;
    this.#isCounted = firstsOnly();
    this.#at = { direction, when, at, onwards };
  }

  disarm() {
    this.#at = {};
  }

  /** Once all that it has ended are heard to have ended. */
  async buried() {
    await Promise.all(this.#ends);
    this.#ends = [];
  }

  fateOf(direction, message) {
    if (!this.#isCounted(message)) return undefined;
    const count = ++this.counts[direction];
    const { direction: wanted, when, at, onwards } = this.#at;
    return direction === wanted && (count === at || (onwards && count > at)) ? when : undefined;
  }
}
