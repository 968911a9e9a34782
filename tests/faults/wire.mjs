// A tap on the channel between page and worker: it counts the messages each way, and ends the worker just before or just
// after one of them. From then on nothing of that worker is heard but its end.

import { syncBuiltinESMExports } from "node:module";
import threads from "node:worker_threads";

const { Worker } = threads;

export class Tap {
  /** Workers that have not ended. */
  alive = new Set();
  counts = { "to-worker": 0, "from-worker": 0 };
  /** How many workers it has ended. */
  killed = 0;
  /** What a worker is started with, in place of what was given. */
  starts = (given) => given;
  #at = {};
  #ends = [];

  /** From now on every worker that is started passes its messages through here. */
  install() {
    const tap = this;
    threads.Worker = class extends Worker {
      #dead = false;

      constructor(...given) {
        super(...tap.starts(given));
        tap.alive.add(this);
        this.once("exit", () => tap.alive.delete(this));
      }

      postMessage(...given) {
        this.#pass("to-worker", () => super.postMessage(...given));
      }

      emit(event, ...given) {
        if (event !== "message") return super.emit(event, ...given);
        return this.#pass("from-worker", () => super.emit(event, ...given));
      }

      #pass(direction, deliver) {
        if (this.#dead) return;
        const fate = tap.fateOf(direction);
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

  /** The worker ends around the `at`th message of a direction, with `onwards` each worker after it at its first. */
  arm({ direction, when, at, onwards = false }) {
    this.counts = { "to-worker": 0, "from-worker": 0 };
    this.killed = 0;
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

  fateOf(direction) {
    const count = ++this.counts[direction];
    const { direction: wanted, when, at, onwards } = this.#at;
    return direction === wanted && (count === at || (onwards && count > at)) ? when : undefined;
  }
}
