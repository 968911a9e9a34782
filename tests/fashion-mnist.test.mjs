// Our own classifier on the 10,000 test images of Fashion-MNIST, as pictures through the whole package: how many are
// right, and how many are what PyTorch says (reference/fashion-mnist). Floats and quantised, on both devices. On WebGPU,
// where SwiftShader takes minutes for all, the first thousand; with AZULEJO_ALL_IMAGES=1 all of them.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { root } from "../scripts/run.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { classesOf } from "./support/fashion-mnist.js";
import { startServer } from "./support/server.mjs";

deadline(15);

/** Where Debian's package has the images; scripts/setup.sh --tests installs it. */
const DATA = "/usr/share/datasets/fashion-mnist";
const MODEL = "www/models/fashion-mnist-vit";

/** The bytes of an IDX file after its header of `header` bytes. */
const idx = (name, header) => gunzipSync(readFileSync(join(DATA, `t10k-${name}-ubyte.gz`))).subarray(header);

/** Images on WebGPU. */
const ON_WEBGPU = process.env.AZULEJO_ALL_IMAGES ? 10_000 : 1000;

const countSame = (found, expected) => found.filter((index, at) => index === expected[at]).length;

describe("our classifier on Fashion-MNIST's test images", () => {
  const predictions = readFileSync(join(root, "tests/reference/fashion-mnist/predictions.bin"));
  let folder, browser, images, truth;
  before(async () => {
    [images, truth] = [idx("images-idx3", 16), idx("labels-idx1", 8)];
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
        return classesOf(await import("/dist/index.js"), model, images.subarray(0, 28 * 28 * count), device);
      }, { model: new URL(`/${MODEL}/`, server.url).href, device, count });
    } finally {
      await page.close();
      await server.close();
    }
  }

  async function underNode(options) {
    const azulejo = await import(pathToFileURL(join(root, "dist/index.js")).href);
    return classesOf(azulejo, join(root, MODEL), images, "cpu", options);
  }

  /** At least these shares of the images are right, and as PyTorch has them. */
  function check(t, { classes }, count, { right, same }) {
    assert.equal(classes.length, count);
    const found = { right: countSame(classes, truth), same: countSame(classes, predictions) };
    t.diagnostic(`${found.right} of ${count} right, ${found.same} as PyTorch`);
    assert.ok(found.right >= right * count, `${found.right} of ${count} are right, expected ${right * count}`);
    assert.ok(found.same >= same * count, `${found.same} of ${count} are PyTorch's choices, expected ${same * count}`);
  }

  const places = {
    "on an isolated page": { isolated: true, device: "cpu", count: 10_000 },
    "on a page without isolation": { isolated: false, device: "cpu", count: 10_000 },
    "on WebGPU": { isolated: false, device: "webgpu", count: ON_WEBGPU },
  };
  for (const [place, where] of Object.entries(places)) {
    test(`${place}, it is right on 91 % and says what PyTorch says`, async (t) => {
      const found = await inChromium(where);
      assert.equal(found.device, where.device);
      assert.equal(found.labels.length, 10);
      check(t, found, where.count, { right: 0.91, same: 0.999 });
    });
  }

  // What rounding the weights costs: a few images of 10,000 at 8 bits, a percent or so at 4.
  for (const [quantize, bounds] of [["q8_0", { right: 0.91, same: 0.995 }], ["q4_1", { right: 0.89, same: 0.94 }]]) {
    test(`with weights in ${quantize} it is nearly as good`, async (t) => check(t, await underNode({ quantize }), 10_000, bounds));
  }
});
