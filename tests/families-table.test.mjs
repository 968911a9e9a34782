// The documents' table of families says what the families' files say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { renewed } from "../scripts/families.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const page = readFileSync(new URL("../docs/families.md", import.meta.url), "utf8");

test("the table of families is up to date", () => {
  assert.equal(page, renewed(page), "write it anew: node scripts/families.mjs");
});

test("a family that is registered has its line", () => {
  const registered = readFileSync(new URL("../src/model/families/registry.rs", import.meta.url), "utf8");
  const list = /const FAMILIES[^=]+= &\[(.+?)\n\];/s.exec(registered)[1];
  const types = [...list.matchAll(/(?:family|pair)\("([^"]+)"/g)].map(([, type]) => type);
  assert.ok(types.length > 10, list);
  for (const type of types) assert.match(page, new RegExp(`\\| [^|]*\`${type}\`[^|]* \\|`), `no line with ${type}`);
});
