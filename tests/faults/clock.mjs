// Time that passes by itself: while it is installed, timers wait until nothing else happens, and then the next is due.
// A deadline of three seconds or a back-off of a minute is over in milliseconds, and always in the same order.

/** So many turns of the event loop in which nobody has said or asked anything, and so long, are quiet. */
const QUIET_TURNS = 30;
const QUIET_MS = 4;
/** Who waits longer than anything in the package does has given up: only where really nothing happens any more. */
const LONG_MS = 300_000;
const LONG_TIMES = 20;

const real = { setTimeout, clearTimeout, setImmediate, timeout: AbortSignal.timeout, now: Date.now };
const { postMessage } = MessagePort.prototype;

export class Clock {
  #timers = [];
  #passed = 0;
  #quiet = 0;
  #since = 0;
  #installed = false;
  #busy = 0;

  /** Timers that wait. */
  get waiting() {
    return this.#timers.length;
  }

  /** Something has happened. */
  stir = () => {
    this.#quiet = 0;
    this.#since = performance.now();
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
    this.#installed = true;
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
    this.#turn();
  }

  /** Timers that still wait are forgotten. */
  uninstall() {
    this.#installed = false;
    this.#timers = [];
    const { setTimeout, clearTimeout, setImmediate } = real;
    Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate });
    MessagePort.prototype.postMessage = postMessage;
    AbortSignal.timeout = real.timeout;
    Date.now = real.now;
  }

  #isQuiet(times) {
    return this.#busy === 0 && this.#quiet > QUIET_TURNS * times && performance.now() - this.#since > QUIET_MS * times;
  }

  #add(run, ms = 0) {
    const timer = { ours: this, at: this.#passed + Math.max(0, Number(ms) || 0), run, ref: () => timer, unref: () => timer, hasRef: () => true };
    this.#timers.push(timer);
    return timer;
  }

  #turn() {
    if (!this.#installed) return;
    this.#quiet++;
    const next = this.#timers.reduce((first, each) => (first === undefined || each.at < first.at ? each : first), undefined);
    if (next !== undefined && this.#isQuiet(next.at - this.#passed > LONG_MS ? LONG_TIMES : 1)) {
      this.stir();
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.#passed = Math.max(this.#passed, next.at);
      next.run();
    }
    real.setImmediate(() => this.#turn());
  }
}
