// Our own classifier on test images of Fashion-MNIST, as pictures through the whole package: each must be what PyTorch
// says (reference/fashion-mnist), which is right on 9,224 of 10,000. Floats and quantised, on both devices. A sixth of the
// images at a time (scripts/sample.mjs) on an isolated page, of these half in other places; on WebGPU, where SwiftShader takes
// minutes for all, some hundreds.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { root } from "../scripts/run.mjs";
import { ALL, due } from "../scripts/sample.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { classesOf } from "./support/fashion-mnist.js";
import { startServer } from "./support/server.mjs";

deadline(20);

/** Where Debian's package has the images; scripts/setup.sh --tests installs it. */
const DATA = "/usr/share/datasets/fashion-mnist";
const MODEL = "www/models/fashion-mnist-vit";

/** The bytes of an IDX file after its header of `header` bytes. */
const idx = (name, header) => gunzipSync(readFileSync(join(DATA, `t10k-${name}-ubyte.gz`))).subarray(header);

const SIZE = 28 * 28;
/** Which images, by their numbers. */
const CHOSEN = Array.from({ length: 10_000 }, (_, at) => at).filter(due);
/** How many of them elsewhere than on an isolated page, and on WebGPU. */
const [ELSEWHERE, ON_WEBGPU] = ALL ? [CHOSEN.length, CHOSEN.length] : [833, 200];

const countSame = (found, expected) => found.filter((index, at) => index === expected[at]).length;

describe("our classifier on Fashion-MNIST's test images", () => {
  const all = readFileSync(join(root, "tests/reference/fashion-mnist/predictions.bin"));
  const predictions = CHOSEN.map((at) => all[at]);
  let folder, browser, images, labels, truth;
  before(async () => {
    const pixels = idx("images-idx3", 16);
    images = Buffer.concat(CHOSEN.map((at) => pixels.subarray(at * SIZE, (at + 1) * SIZE)));
    labels = idx("labels-idx1", 8);
    truth = CHOSEN.map((at) => labels[at]);
    folder = mkdtempSync(join(tmpdir(), "azulejo-fashion-"));
    writeFileSync(join(folder, "images"), images);
    browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  });
  after(async () => {
    await browser?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  async function inChromium({ isolated, device, count }) {
    const server = await startServer({ mounts: { "/": root, "/data/": folder }, isolated });
    const page = await browser.newPage();
    try {
      await page.goto(new URL("/tests/support/page.html", server.url).href);
      return await page.evaluate(async ({ model, device, count }) => {
        const { classesOf } = await import("/tests/support/fashion-mnist.js");
        const images = new Uint8Array(await (await fetch("/data/images")).arrayBuffer());
        return classesOf(await import("/dist/index.js"), model, images.subarray(0, count), device);
      }, { model: new URL(`/${MODEL}/`, server.url).href, device, count: count * SIZE });
    } finally {
      await page.close();
      await server.close();
    }
  }

  async function underNode(options) {
    const azulejo = await import(pathToFileURL(join(root, "dist/index.js")).href);
    return classesOf(azulejo, join(root, MODEL), images.subarray(0, ELSEWHERE * SIZE), "cpu", options);
  }

  const right = (classes) => countSame(classes, truth) / classes.length;

  test("PyTorch is right on 9,224 of the 10,000", () => assert.equal(countSame([...all], labels), 9224));

  const places = {
    "on an isolated page": { isolated: true, device: "cpu", count: CHOSEN.length },
    "on a page without isolation": { isolated: false, device: "cpu", count: ELSEWHERE },
    "on WebGPU": { isolated: false, device: "webgpu", count: ON_WEBGPU },
  };
  for (const [place, { count, ...where }] of Object.entries(places)) {
    test(`${place}, it says of every image what PyTorch says`, async (t) => {
      const found = await inChromium({ ...where, count });
      assert.equal(found.device, where.device);
      assert.equal(found.labels.length, 10);
      assert.equal(found.classes.length, count);
      t.diagnostic(`${count} images, ${(100 * right(found.classes)).toFixed(2)} % right`);
      const others = found.classes.flatMap((index, at) => (index === predictions[at] ? [] : [CHOSEN[at]]));
      assert.deepEqual(others, [], "images on which it says something else");
    });
  }

  // What rounding the weights costs: a few images of 10,000 at 8 bits, a percent or so at 4.
  for (const [quantize, bounds] of [["q8_0", { lost: 0.003, same: 0.995 }], ["q4_1", { lost: 0.03, same: 0.94 }]]) {
    test(`with weights in ${quantize} it is nearly as good`, async (t) => {
      const { classes } = await underNode({ quantize });
      assert.equal(classes.length, ELSEWHERE);
      const [same, lost] = [countSame(classes, predictions) / classes.length, right(predictions.slice(0, ELSEWHERE)) - right(classes)];
      t.diagnostic(`${(100 * right(classes)).toFixed(2)} % right, ${(100 * same).toFixed(2)} % as PyTorch`);
      assert.ok(same >= bounds.same, `${same} are PyTorch's choices`);
      assert.ok(lost <= bounds.lost, `${lost} fewer are right`);
    });
  }
});
