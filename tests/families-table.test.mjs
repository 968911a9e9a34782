// The README's table of families says what the families' files say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { renewed } from "../scripts/families.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

test("the README's table of families is up to date", () => {
  assert.equal(readme, renewed(readme), "write it anew: node scripts/families.mjs");
});

test("a family that is registered has its line", () => {
  const registered = readFileSync(new URL("../src/model/families/registry.rs", import.meta.url), "utf8");
  const list = /const FAMILIES[^=]+= &\[(.+?)\n\];/s.exec(registered)[1];
  const types = [...list.matchAll(/(?:family|pair)\("([^"]+)"/g)].map(([, type]) => type);
  assert.ok(types.length > 10, list);
  for (const type of types) assert.match(readme, new RegExp(`\\| [^|]*\`${type}\`[^|]* \\|`), `no line with ${type}`);
});
