// When a test file must have come to its end.

import { beforeEach } from "node:test";

/**
 * Ends this file's process after so many minutes, and says which test it was at: what hangs has a name then. Ten times what
 * the file takes on a quiet machine, so that a busy one comes to its end.
 */
export function deadline(minutes) {
  let at = "before the first test";
  beforeEach((test) => { at = `in or after "${test.name}"`; });
  setTimeout(() => {
    console.error(`not at its end after ${minutes} minutes: ${at}`);
    process.exit(1);
  }, minutes * 60_000).unref();
}
