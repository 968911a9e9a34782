// Encoders and encoder-decoders from single GGUF files, in Chromium on both devices: files of llama.cpp's converter
// (tests/fixtures/llama.cpp), and what transformers makes of them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { assertNear } from "./support/near.mjs";
import { readSafetensors } from "./support/safetensors.mjs";
import { startServer } from "./support/server.mjs";
import { openTextPage } from "./support/text-browser.mjs";

deadline(10);

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FIXTURES = "tests/fixtures/llama.cpp";

let browser, server;
before(async () => {
  browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  server = await startServer({ mounts: { "/": ROOT }, isolated: false });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** What the reference implementation was asked, and answered; rows without their padding. */
function caseOf(family) {
  const tensors = readSafetensors(readFileSync(`${ROOT}${FIXTURES}/${family}.safetensors`));
  const rowsOf = (name) => {
    const { data, shape: [count, length] } = tensors[name];
    return Array.from({ length: count }, (_, row) => Array.from(data.slice(row * length, (row + 1) * length)));
  };
  const mask = rowsOf("attention_mask");
  const rows = rowsOf("input_ids").map((row, at) => row.filter((_, position) => mask[at][position] === 1));
  return { tensors, rows, rowsOf };
}

for (const device of ["cpu", "webgpu"]) {
  describe(`on ${device}`, () => {
    let page;
    before(async () => { page = await openTextPage(browser, server, device); });
    after(() => page?.close());

    /** The logits by the raw ids, from the API's class of that name. */
    const logitsOf = (kind, family, ...rows) => page.evaluate(async ([kind, url, rows]) => {
      const model = await globalThis[kind].load(url, { engine });
      const logits = plain(await model.logits(...rows.map((rows) => rows.map((row) => Uint32Array.from(row)))));
      await model.dispose();
      return logits;
    }, [kind, `/${FIXTURES}/${family}.gguf`, rows]);

    test("classifiers and encoder-decoders give the reference's logits", async () => {
      for (const family of ["roberta", "distilbert", "modernbert"]) {
        const { tensors, rows } = caseOf(family);
        const logits = await logitsOf("TextClassifier", family, rows);
        assertNear(logits.data, Array.from(tensors.logits.data), family, 1e-3);
      }
      const { tensors, rows, rowsOf } = caseOf("t5");
      const logits = await logitsOf("Seq2SeqLM", "t5", rows, rowsOf("decoder_input_ids"));
      assertNear(logits.data, Array.from(tensors.logits.data), "t5", 1e-3);
    });

    test("an embedder gives the reference's hidden states, and refuses what the converter left out", async () => {
      const { tensors, rows } = caseOf("bert");
      const { hidden, pooler } = await page.evaluate(async ([url, row]) => {
        const embedder = await TextEmbedder.load(url, { engine });
        const ids = Uint32Array.from(row);
        const pooler = await failureOf(() => embedder.embed([ids], { pooling: "pooler" }));
        const hidden = plain(await embedder.hidden([ids]));
        await embedder.dispose();
        return { hidden, pooler };
      }, [`/${FIXTURES}/bert.gguf`, rows[0]]);
      assertNear(hidden.data, Array.from(tensors.hidden.data.slice(0, hidden.data.length)), "bert", 1e-3);
      assert.equal(pooler.code, "invalid-argument");
    });
  });
}
