// docs/platforms.md has a line for each place that is tried, and no other, and says what the examples do; they name this release.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../scripts/run.mjs";
import { pinned } from "./platforms/apps.mjs";
import { ROWS } from "./platforms/matrix.mjs";
import { documented } from "./platforms/table.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

test("docs/platforms.md lists the places of the matrix, with their versions", () => {
  const lines = documented();
  const versions = ROWS.map(({ place, version }, at) => [place, version ?? lines[at]?.[1]]);
  assert.deepEqual(lines, versions);
});

test("the examples install and import this release", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const folders = readdirSync(join(root, "examples"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders) assert.equal(pinned(name).azulejo ?? version, version, name);
  assert.match(readFileSync(join(root, "examples", "cdn", "index.html"), "utf8"), new RegExp(`/azulejo@${version}/dist/`));
});

test("docs/platforms.md has the two lines that esbuild needs as its example has them", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "examples", "esbuild", "package.json"), "utf8"));
  const text = readFileSync(join(root, "docs", "platforms.md"), "utf8");
  for (const line of [scripts.bundle, scripts.copy]) assert.ok(text.includes(`\n    ${line}\n`), line);
});
