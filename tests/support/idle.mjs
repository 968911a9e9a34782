// Whether an engine has come to rest.

import assert from "node:assert/strict";

/** Asks until nothing is under way: what was ended ends at its next step. */
export async function idle(engine) {
  for (let asked = 0; asked < 1000; asked++) if ((await engine.diagnostics()).jobs === 0) return;
  assert.fail("something is under way still");
}
