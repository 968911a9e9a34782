// The page's watch over what strangers' programs do in the host: a tokenizer, a chat template. While one is at work the
// host hears nothing, not even an abort.

import { AzulejoError } from "../shared/errors.js";
import type { Stranger } from "../shared/protocol.js";

/** Those of real checkpoints take milliseconds, and a second or two for the longest texts. */
const LONGEST_MS = 10_000;
const LONGEST_MS_PER_KIB = 2;
/** The last of that time begins when the rest is over: where page and host have slept, the host can still end its work. */
const LAST_MS = 1000;

export class Watch {
  /** What is at work now: there is one at a time. */
  current: Stranger | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `end` is called with the reason if it does not come to an end by itself. */
  begin(stranger: Stranger, end: (error: AzulejoError) => void): void {
    this.over();
    this.current = stranger;
    const ms = LONGEST_MS + LONGEST_MS_PER_KIB * Math.ceil(stranger.bytes / 1024);
    const message = `the checkpoint's ${stranger.what} has not ended after ${Math.round(ms / 1000)} seconds`;
    const last = () => {
      this.#timer = setTimeout(() => end(new AzulejoError("internal", message)), LAST_MS);
    };
    this.#timer = setTimeout(last, ms - LAST_MS);
  }

  over(): void {
    clearTimeout(this.#timer);
    this.current = undefined;
  }
}
