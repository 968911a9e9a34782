// Time that passes by itself: while it is installed, timers wait until nothing else happens, and then the next is due.
// A deadline of three seconds or a back-off of a minute is over in milliseconds, and always in the same order.

/** It is looked so often, in real time, and so many looks in which nobody has said or asked anything are quiet. */
const LOOK_MS = 1;
const QUIET = 6;
/** A caller gives up when so much longer nothing has happened. */
const PATIENCE_MS = 600_000;
const PATIENTLY = 20;

const real = { setTimeout, clearTimeout, setImmediate, timeout: AbortSignal.timeout, now: Date.now };
const { postMessage } = MessagePort.prototype;

export class Clock {
  #timers = [];
  #passed = 0;
  #quiet = 0;
  #looking;
  #busy = 0;

  /** Timers that wait, but for that of a caller's patience. */
  get waiting() {
    return this.#timers.filter(({ patience }) => !patience).length;
  }

  /** Something has happened. */
  stir = () => {
    this.#quiet = 0;
  };

  /** What the system does in its own time: until it has, it is not quiet. */
  async during(work) {
    this.#busy++;
    try {
      return await work;
    } finally {
      this.#busy--;
      this.stir();
    }
  }

  install() {
    this.#passed = 0;
    this.stir();
    globalThis.setTimeout = (run, ms, ...given) => this.#add(() => run(...given), ms);
    globalThis.clearTimeout = (timer) => {
      if (timer?.ours !== this) return real.clearTimeout(timer);
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
    AbortSignal.timeout = (ms) => {
      const controller = new AbortController();
      this.#add(() => controller.abort(new DOMException("The operation timed out.", "TimeoutError")), ms);
      return controller.signal;
    };
    Date.now = () => real.now() + this.#passed;
    // Page and host talk through ports, and the host lets others in by a turn.
    const { stir } = this;
    MessagePort.prototype.postMessage = function (...given) {
      stir();
      return postMessage.apply(this, given);
    };
    globalThis.setImmediate = (...given) => (stir(), real.setImmediate(...given));
    this.#looking = real.setTimeout(() => this.#look(), LOOK_MS);
  }

  /** Timers that still wait are forgotten. */
  uninstall() {
    real.clearTimeout(this.#looking);
    this.#timers = [];
    const { setTimeout, clearTimeout, setImmediate } = real;
    Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate });
    MessagePort.prototype.postMessage = postMessage;
    AbortSignal.timeout = real.timeout;
    Date.now = real.now;
  }

  /** A caller who gives up in ten minutes. */
  patience(giveUp) {
    this.#add(giveUp, PATIENCE_MS).patience = true;
  }

  #isQuiet(times) {
    return this.#busy === 0 && this.#quiet > QUIET * times;
  }

  #add(run, ms = 0) {
    const at = this.#passed + Math.max(0, Number(ms) || 0);
    const timer = { ours: this, at, run, ref: () => timer, unref: () => timer, hasRef: () => true };
    this.#timers.push(timer);
    return timer;
  }

  #look() {
    this.#quiet++;
    const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
    if (next !== undefined && this.#isQuiet(next.patience ? PATIENTLY : 1)) {
      this.stir();
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.#passed = Math.max(this.#passed, next.at);
      next.run();
    }
    this.#looking = real.setTimeout(() => this.#look(), LOOK_MS);
  }
}
