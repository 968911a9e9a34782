// docs/platforms.md has a line for each place that is tried, and no other.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ROWS } from "./platforms/matrix.mjs";
import { documented } from "./platforms/table.mjs";

test("docs/platforms.md lists the places of the matrix, with their versions", () => {
  const lines = documented();
  const versions = ROWS.map(({ place, version }, at) => [place, version ?? lines[at]?.[1]]);
  assert.deepEqual(lines, versions);
});
