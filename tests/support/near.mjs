// Numbers that should be the same but for rounding.

import assert from "node:assert/strict";

export function assertNear(got, expected, what, tolerance = 1e-4) {
  assert.equal(got.length, expected.length, what);
  const worst = Math.max(...got.map((value, at) => Math.abs(value - expected[at])));
  assert(worst <= tolerance, `${what}: off by ${worst}`);
}
