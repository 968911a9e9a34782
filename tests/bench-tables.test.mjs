// What the READMEs say of speed is what bench/results says.

import assert from "node:assert/strict";
import { test } from "node:test";
import { documents, renewed } from "../bench/tables.mjs";
import { floorSeconds, imageWork, tokenWork } from "../bench/shares.mjs";
import { SIZES } from "../bench/vit/checkpoint.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

for (const [name, text] of documents()) {
  test(`the tables of ${name} are those of bench/results`, () => {
    assert.equal(text, renewed(text), "write them anew: node bench/tables.mjs");
    assert.match(text, /<!-- bench\/tables\.mjs writes this: /);
  });
}

const circumstances = { date: "2026-01-02", commit: "abc", machine: { runtime: "Chromium 1.2.3", processor: "P", cores: 2 }, versions: { "onnxruntime-web": "1.2.3" } };
const match = (name, rate, share) => ({ name, results: { "decode 4": { median: rate, share } } });

test("a table has the last figure of each, its share, and – where there is none", () => {
  const tokens = { kind: "tokens", model: "SmolLM2-135M-Instruct.Q4_1.gguf", device: "webgpu", threads: 1, rounds: 3, run: circumstances };
  const matches = [
    { ...tokens, contestants: [match("azulejo", 1, 0.1)] },
    { ...tokens, contestants: [match("azulejo", 20, 0.5), match("onnxruntime-web", 2, 0.05)] },
  ];
  const made = renewed("before\n<!-- bench/tables.mjs writes this: tokens-webgpu -->\nold\n<!-- until here -->\nafter", matches);
  assert.match(made, /^before\n/);
  assert.match(made, /\| \*\*azulejo\*\* \| – \| \*\*20\.0\*\* \(50 %\) \|\n\| ONNX Runtime Web 1\.2\.3 \| – \| 2\.00 \(5 %\) \|\n\| times as quick \| – \| 10\.00 × \|/);
  assert.match(made, /\n\nChromium 1, P, 2 cores; 2026-01-02, commit abc; medians of 3 rounds in turns\.\n/);
  assert.doesNotMatch(made, /old/);
  assert.throws(() => renewed("<!-- bench/tables.mjs writes this: nothing -->\n<!-- until here -->", matches), /nothing.*tokens-cpu/);
});

test("a floor is the longer of reading and multiplying, and ViT-B/16 has 17.5 G multiply-adds an image", () => {
  const sizes = { fileBytes: 100, parameters: 50, head: 10 };
  const ceilings = { read: 10, f32: 5, dot16: 20 };
  assert.equal(floorSeconds(tokenWork({ kind: "decode", count: 8 }, sizes), ceilings, true), 10);
  assert.equal(floorSeconds(tokenWork({ kind: "prefill", count: 10 }, sizes), ceilings, true), 41 / 20);
  assert.equal(floorSeconds(tokenWork({ kind: "prefill", count: 10 }, sizes), ceilings, false), 41 / 5);
  assert.ok(Math.abs(imageWork(SIZES["vit-b16"]).products / 17.56e9 - 1) < 0.01);
});
