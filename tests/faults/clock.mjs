// Time that passes by itself: while it is installed, timers wait until nothing else happens, and then the next is due.
// A deadline of three seconds or a back-off of a minute is over in milliseconds, and always in the same order.

/** So many turns of the event loop in which nobody has said or asked anything, and so long, are quiet. */
const QUIET_TURNS = 30;
const QUIET_MS = 4;

const real = { setTimeout, clearTimeout, setImmediate, timeout: AbortSignal.timeout, now: Date.now };
const { postMessage } = MessagePort.prototype;

export class Clock {
  #timers = [];
  #passed = 0;
  #quiet = 0;
  #since = 0;
  #installed = false;

  /** Timers that wait. */
  get waiting() {
    return this.#timers.length;
  }

  /** Something has happened. */
  stir = () => {
    this.#quiet = 0;
    this.#since = performance.now();
  };

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

  #add(run, ms = 0) {
    const timer = { ours: this, at: this.#passed + Math.max(0, Number(ms) || 0), run, ref: () => timer, unref: () => timer, hasRef: () => true };
    this.#timers.push(timer);
    return timer;
  }

  #turn() {
    if (!this.#installed) return;
    if (++this.#quiet > QUIET_TURNS && performance.now() - this.#since > QUIET_MS && this.#timers.length > 0) {
      this.stir();
      const next = this.#timers.reduce((first, each) => (each.at < first.at ? each : first));
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.#passed = Math.max(this.#passed, next.at);
      next.run();
    }
    real.setImmediate(() => this.#turn());
  }
}
