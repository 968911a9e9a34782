// A stand-in for the Web Locks of a browser: Node has them from version 24 on only, and none that can fail.

export class Locks {
  #held = [];
  #waiting = [];
  #injector;

  constructor(injector) {
    this.#injector = injector;
  }

  /** Held or waited for. */
  get count() {
    return this.#held.length + this.#waiting.length;
  }

  /** What `navigator.locks` is. */
  manager() {
    return {
      request: (name, ...given) => this.#request(name, given.length > 1 ? given[0] : {}, given.at(-1)),
      query: async () => {
        this.#injector.pass("locks.query");
        const told = ({ name, mode }) => ({ name, mode, clientId: "here" });
        return { held: this.#held.map(told), pending: this.#waiting.map(told) };
      },
    };
  }

  async #request(name, { mode = "exclusive", ifAvailable = false, signal } = {}, use) {
    this.#injector.pass("locks.request");
    signal?.throwIfAborted();
    const lock = { name, mode };
    if (ifAvailable && !this.#free(lock, this.#waiting)) return use(null);
    await this.#grant(lock, signal);
    try {
      return await use(lock);
    } finally {
      this.#held.splice(this.#held.indexOf(lock), 1);
      this.#wake();
    }
  }

  #free({ name, mode }, before) {
    const same = [...this.#held, ...before].filter((each) => each.name === name);
    return same.every((each) => each.mode === "shared" && mode === "shared");
  }

  #grant(lock, signal) {
    return new Promise((granted, refused) => {
      const abort = () => {
        const at = this.#waiting.indexOf(lock);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        refused(signal.reason);
        this.#wake();
      };
      lock.take = () => {
        signal?.removeEventListener("abort", abort);
        granted();
      };
      signal?.addEventListener("abort", abort);
      this.#waiting.push(lock);
      this.#wake();
    });
  }

  /** In the order of arrival, as far as they are free. */
  #wake() {
    for (const lock of [...this.#waiting]) {
      const before = this.#waiting.slice(0, this.#waiting.indexOf(lock));
      if (!this.#free(lock, before)) continue;
      this.#waiting.splice(this.#waiting.indexOf(lock), 1);
      this.#held.push(lock);
      lock.take();
    }
  }
}
