// The time that a step may take, and whether it is still wanted.

import { AzulejoError } from "../azulejo/index.js";

export class Clock {
  /** `until`: by performance.now(). */
  constructor(readonly signal: AbortSignal, readonly until: number) {}

  /** Milliseconds; below 0 once the time is over. */
  get left(): number {
    return this.until - performance.now();
  }

  get isOver(): boolean {
    return this.left <= 0;
  }

  /** A clock for this part of what is left. */
  part(share: number): Clock {
    return new Clock(this.signal, performance.now() + share * this.left);
  }

  /** Rejects like a call of the package that is aborted. */
  check(): void {
    if (this.signal.aborted) throw new AzulejoError("aborted", "the measurement was cancelled");
  }
}
