// What must hold after any fault, asked four times over: has everything settled, is every error one that this fault may
// cause, do the neighbours answer as before, and is nothing left behind.

/** Longer than anything here may take on a busy machine. */
const DEADLINE_MS = 20_000;
const { setTimeout: later, clearTimeout: forget, setImmediate: soon } = globalThis;

/** Whatever waits may run. Pages, which have no `setImmediate`, send themselves a message. */
export function turn() {
  if (soon !== undefined) return new Promise((resolve) => soon(resolve));
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => (port1.close(), resolve());
    port2.postMessage(null);
  });
}

/** How `promise` ends: { value } or { error }, or { hangs } where it does not. */
export function settled(promise, deadlineMs = DEADLINE_MS) {
  let timer;
  const never = new Promise((resolve) => {
    timer = later(() => resolve({ hangs: true }), deadlineMs);
  });
  const ended = promise.then((value) => ({ value }), (error) => ({ error }));
  return Promise.race([ended, never]).finally(() => forget(timer));
}

/** What is wrong, in words; nothing is thrown, so that all of it is told. */
export class Oracle {
  wrongs = [];
  #AzulejoError;

  constructor(AzulejoError) {
    this.#AzulejoError = AzulejoError;
  }

  wrong(what) {
    this.wrongs.push(what);
  }

  /** `outcome` is one of the answers in `right`, or an error with one of `codes`. */
  judge(when, outcome, { right, codes = [] }) {
    const { error, value, hangs } = outcome;
    if (hangs) return this.wrong(`${when}: not settled in time`);
    if (error !== undefined) return this.#judgeError(when, error, codes);
    if (!right.includes(value)) this.wrong(`${when}: a wrong answer, ${value} instead of ${right.join(" or ")}`);
    return undefined;
  }

  #judgeError(when, error, codes) {
    const { code, message } = error ?? {};
    const allowed = codes.length === 0 ? "no error" : codes.join(", ");
    if (!(error instanceof this.#AzulejoError)) return this.wrong(`${when}: not an AzulejoError: ${error?.stack ?? error}`);
    if (!codes.includes(code)) return this.wrong(`${when}: ${code} (${message}) where ${allowed} may come`);
    if (!/\w+ \w+/.test(message) || /undefined|\[object/.test(message)) this.wrong(`${when}: says little: ${message}`);
    return undefined;
  }

  /** The same as before, at the latest when the event loop has gone round some times: releasing may take a few turns. */
  async same(when, before, count) {
    let after;
    for (let look = 0; look < 200; look++) {
      after = await count();
      if (differences(before, after).length === 0) return;
      await turn();
    }
    this.wrong(`${when}: left behind: ${differences(before, after).join(", ")}`);
  }
}

function differences(before, after) {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]).map((name) => `${name} ${before[name]} → ${after[name]}`);
}
