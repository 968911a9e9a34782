// A head of 262,144 rows, Gemma 3's, in Chromium: as many workgroups as a row's threads make of them, more than a grid has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL, PART } from "../scripts/sample.mjs";
import { deadline } from "./support/deadline.mjs";
import { array, u32, writeGguf } from "./support/gguf.mjs";
import { gpuBrowser } from "./support/gpu-browser.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

deadline(15);

const VOCABULARY = 262_144;

/** The tiny model with a table, which is also its head, of so many rows. */
function wide() {
  const model = tinyModel();
  const { metadata, tensors } = model;
  const { values } = metadata["tokenizer.ggml.tokens"];
  const more = Array.from({ length: VOCABULARY - values.length }, (_, index) => `zz${index}zz`);
  metadata["tokenizer.ggml.tokens"] = array("string", [...values, ...more]);
  const types = metadata["tokenizer.ggml.token_type"].values;
  metadata["tokenizer.ggml.token_type"] = array("i32", [...types, ...more.map(() => 1)]);
  metadata["llama.vocab_size"] = u32(VOCABULARY);
  const [width] = tensors[0].shape.slice(-1);
  const table = Float32Array.from({ length: VOCABULARY * width }, (_, i) => ((Math.imul(i, 2654435761) >>> 8) & 0xffff) / 65536 - 0.5);
  Object.assign(tensors[0], { shape: [VOCABULARY, width], type: "F32", data: new Uint8Array(table.buffer) });
  return writeGguf(model).bytes;
}

const there = gpuBrowser(() => ({ "/wide.gguf": { bytes: wide() } }));

/** The last token's logits, where they are largest, and a few tokens. */
async function speak(options) {
  const page = await there.browser.newPage();
  try {
    await page.goto(there.server.url);
    return await page.evaluate(async (options) => {
      const { CausalLM, Engine } = await import("/dist/index.js");
      const engine = await Engine.create(options);
      const lm = await CausalLM.load("/wide.gguf", { engine, cache: false });
      const { tokens } = await lm.generate([5, 6, 7], { maxTokens: 3, ignoreEnd: true });
      await engine.dispose();
      return [...tokens];
    }, options);
  } finally {
    await page.close();
  }
}

const GPUS = {
  "subgroups of any size": { without: ["subgroup-size"] },
  "4 threads a row": { lanes: 4 },
  "64 threads a row, without subgroups": { lanes: 64, without: ["subgroups"] },
  "128 threads a row": { lanes: 128 },
};

/** One at each commit: what takes the time is to compile kernels, which native/gpu_grids.rs does for all of them. */
const due = Object.entries(GPUS).filter((_, at, all) => ALL || at === PART % all.length);

test("a head of 262,144 rows chooses the CPU's tokens", async (t) => {
  const expected = await speak({ device: "cpu" });
  assert.equal(new Set([...expected, 0]).size, 4, "tokens that are not what zeros would choose");
  for (const [name, gpu] of due) {
    await t.test(name, async () => assert.deepEqual(await speak({ device: "webgpu", gpu }), expected));
  }
});
