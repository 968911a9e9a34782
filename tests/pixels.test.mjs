// From a file to the model's pixels, against what transformers' image processors (with PIL) make of the same files:
// EXIF's orientation, colour, both filters, the crop, and the normalisation on top; on both devices.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { openImagesPage } from "./support/images-browser.mjs";
import { startServer } from "./support/server.mjs";

deadline(10);

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const REFERENCE = new URL("reference/images/", import.meta.url);
const processors = JSON.parse(readFileSync(new URL("processors.json", REFERENCE), "utf8"));
const inputs = readdirSync(new URL("inputs/", REFERENCE));
/** In steps of 255. Decoders of JPEG differ by themselves. */
const MOST = { png: 1, jpg: 2 };
const MEAN = 0.1;

for (const device of ["cpu", "webgpu"]) {
  describe(`on ${device}`, () => {
    let browser, server, page;
    before(async () => {
      browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
      server = await startServer({ mounts: { "/": ROOT }, isolated: true });
      page = await openImagesPage(browser, server, device);
    });
    after(async () => {
      await browser?.close();
      await server?.close();
    });

    for (const [name, processor] of Object.entries(processors)) {
      test(`${name}'s pixels are the reference's`, async (t) => {
        const results = await page.evaluate(compare, { name, processor, inputs });
        assert.equal(results.length, inputs.length);
        for (const { file, dims, most, mean } of results) {
          t.diagnostic(`${file}: off by ${most.toFixed(3)} at most, ${mean.toFixed(4)} on average`);
          assert.deepEqual(dims, [1, 3, 224, 224], file);
          // Written so that a NaN fails; half a thousandth for what normalising there and back rounds.
          assert(most <= MOST[file.split(".").at(-1)] + 5e-4, `${file}: off by ${most}`);
          assert(mean < MEAN, `${file}: off by ${mean} on average`);
        }
      });
    }
  });
}

/** In the page: each file through `pixels`, its normalisation undone, beside the expected picture. */
async function compare({ name, processor, inputs }) {
  const vit = await ImageClassifier.load(await sourceOf("vit", { processor }), { engine });
  const { image_mean, image_std, rescale_factor } = processor;
  const results = [];
  for (const file of inputs) {
    const { data, dims } = await vit.pixels(`/tests/reference/images/inputs/${file}`);
    const expected = await bytesOf(`/tests/reference/images/expected/${name}/${file.replace(/\.\w+$/, ".png")}`);
    const plane = data.length / 3;
    let [most, sum] = [0, 0];
    data.forEach((value, at) => {
      const channel = Math.floor(at / plane);
      const got = (value * image_std[channel] + image_mean[channel]) / rescale_factor;
      const error = Math.abs(got - expected[4 * (at % plane) + channel]);
      most = error <= most ? most : error;
      sum += error;
    });
    results.push({ file, dims, most, mean: sum / data.length });
  }
  await vit.dispose();
  return results;

  async function bytesOf(url) {
    const bitmap = await createImageBitmap(await (await fetch(url)).blob(), { colorSpaceConversion: "none" });
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
  }
}
