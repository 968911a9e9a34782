// all-MiniLM-L6-v2 against what PyTorch makes of it (reference/minilm): token ids of ugly texts and sentence vectors,
// in one batch and one by one, in both wasm builds, under Node and on WebGPU.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { fetchMiniLM } from "../scripts/fetch-minilm.mjs";
import { root } from "../scripts/run.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { askEmbedder } from "./support/minilm.js";
import { startServer } from "./support/server.mjs";

deadline(10);

const WIDTH = 384;
/** What sentence_bert_config.json cuts texts at. */
const MOST = 256;
const reference = JSON.parse(readFileSync(new URL("reference/minilm/reference.json", import.meta.url), "utf8"));
const texts = reference.map(({ text }) => text);
const folder = await fetchMiniLM();

async function askInChromium(browser, { isolated, device }) {
  const server = await startServer({ mounts: { "/": root, "/minilm/": folder }, isolated });
  const page = await browser.newPage();
  try {
    await page.goto(new URL("/tests/support/page.html", server.url).href);
    return await page.evaluate(async ({ model, texts, device }) => {
      const { askEmbedder } = await import("/tests/support/minilm.js");
      return askEmbedder(await import("/dist/index.js"), model, texts, device);
    }, { model: new URL("/minilm/", server.url).href, texts, device });
  } finally {
    await page.close();
    await server.close();
  }
}

async function askInNode() {
  const azulejo = await import(pathToFileURL(join(root, "dist", "index.js")).href);
  return askEmbedder(azulejo, `${folder}/`, texts, "cpu");
}

const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

describe("all-MiniLM-L6-v2 as the reference implementation computes it", () => {
  let browser;
  before(async () => { browser = await launchBrowser({ args: WEBGPU_ARGUMENTS }); });
  after(() => browser?.close());

  const places = {
    "on an isolated page": () => askInChromium(browser, { isolated: true, device: "cpu" }),
    "on a page without isolation": () => askInChromium(browser, { isolated: false, device: "cpu" }),
    "under Node": askInNode,
    "on WebGPU": () => askInChromium(browser, { isolated: false, device: "webgpu" }),
  };
  for (const [place, ask] of Object.entries(places)) {
    describe(place, () => {
      let answers;
      before(async () => { answers = await ask(); });

      test("ugly texts become the same token ids", () => {
        for (const [index, { text, ids }] of reference.entries()) {
          const found = answers.ids[index];
          // The tokenizer itself cuts nothing; embedding does.
          const cut = found.length > MOST ? [...found.slice(0, MOST - 1), found.at(-1)] : found;
          assert.deepEqual(cut, ids, JSON.stringify(text));
        }
      });

      for (const given of ["batched", "single", "tokens"]) {
        test(`sentence vectors have a cosine of at least 0.9999 to the reference's: ${given}`, (t) => {
          assert.deepEqual(answers[given].dims, [texts.length, WIDTH]);
          const cosines = reference.map(({ text, vector }, row) => {
            const found = answers[given].data.slice(row * WIDTH, (row + 1) * WIDTH);
            const length = Math.sqrt(dot(found, found));
            assert.ok(Math.abs(length - 1) < 1e-4, `${JSON.stringify(text)}: length ${length}`);
            const similarity = cosine(found, vector);
            assert.ok(similarity >= 0.9999, `${JSON.stringify(text)}: ${similarity}`);
            return similarity;
          });
          t.diagnostic(`${answers.device}, ${given}: smallest cosine ${Math.min(...cosines)}`);
        });
      }
    });
  }
});
