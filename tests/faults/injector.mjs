// Counts the places where something can fail, and fails the ones it is told to: a dry run says how many there are.

export class Injector {
  /** What passed, in order. */
  log = [];
  /** How often it has failed something. */
  hits = 0;
  #at = Infinity;
  #onwards = false;
  #fail = () => {};
  #passed;

  /** `passed` is called at each place. */
  constructor(passed = () => {}) {
    this.#passed = passed;
  }

  /** From now on the `at`th place (from 1) fails, with `onwards` every one after it too. `fail` is told what it is. */
  arm({ at, onwards = false, fail }) {
    this.log = [];
    this.hits = 0;
    this.#at = at;
    this.#onwards = onwards;
    this.#fail = fail;
  }

  disarm() {
    this.#at = Infinity;
    this.#onwards = false;
  }

  /** A place: throws where it is to fail. */
  pass(what) {
    this.#passed();
    const at = this.log.push(what);
    if (at !== this.#at && !(this.#onwards && at > this.#at)) return;
    this.hits++;
    this.#fail(what, at);
  }
}

/** Numbers with as many digits, so that the names of points sort. */
export const numbered = (n) => String(n).padStart(3, "0");

/** `count` places from 0 up to, not with, `length`. */
export function places(length, count) {
  return [...new Set(Array.from({ length: count }, (_, at) => Math.floor((at * length) / count)))];
}
