// inspect() of every family of the conformance set, under Node: what a header says is counted exactly.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Engine, inspect } from "../dist/index.js";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const CASES = join(resolve(dirname(fileURLToPath(import.meta.url)), ".."), "tests/conformance");
const FAMILIES = Object.keys(JSON.parse(readFileSync(join(CASES, "index.json"), "utf8")).families);
/** What pre-training left, and no model has a use for. */
const UNUSED = ["dinov2.embeddings.mask_token"];

let engine;
before(async () => { engine = await Engine.create({ device: "cpu", threads: 1 }); });
after(() => engine?.dispose());

/** Each tensor's name and number of values. */
function tensorsOf(family) {
  const file = readFileSync(join(CASES, family, "model.safetensors"));
  const { __metadata__, ...tensors } = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))));
  return Object.entries(tensors).map(([name, { shape }]) => ({ name, count: shape.reduce((all, n) => all * n, 1) }));
}

const sum = (list, key) => list.reduce((all, entry) => all + entry[key], 0);

for (const family of FAMILIES) {
  test(`${family}'s parameters are counted, and each is a part of something`, async () => {
    const tensors = tensorsOf(family);
    const { parameters, parts, memory } = await inspect(join(CASES, family, "/"), { engine });
    assert.equal(parameters, sum(tensors, "count"));
    assert.equal(sum(parts, "parameters"), sum(tensors.filter(({ name }) => !UNUSED.includes(name)), "count"));
    assert.equal(sum(parts, "bytes"), memory.weights);
  });
}
