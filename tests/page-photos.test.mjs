// One's own photos, found by words: the model is a tiny CLIP of the conformance set, so that what comes first is compared with what
// the package says of the same pictures.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../scripts/run.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { modelFiles, visit } from "./support/demo.mjs";
import { processorOf } from "./support/images-page.js";
import { tokenizerOf } from "./support/text-page.js";

deadline(5);

const FOLDER = join(root, "www/samples/fashion");
const PHOTOS = readdirSync(FOLDER).filter((name) => name.endsWith(".png")).sort().map((name) => join(FOLDER, name));
const side = JSON.parse(readFileSync(join(root, "tests/conformance/clip/config.json"), "utf8")).vision_config.image_size;
const CLIP = modelFiles("clip", { "tokenizer.json": JSON.stringify(tokenizerOf("clip")), "preprocessor_config.json": JSON.stringify(processorOf(side)) });

describe("photos by words, in the images view of the demo page", () => {
  let browser;
  before(async () => { browser = await launchBrowser(); });
  after(() => browser?.close());

  test("are looked at once a model is there, ranked as the package ranks them, and forgotten", async () => {
    const { page, complaints, close } = await visit(browser, { server: { isolated: false, csp: true }, hash: "#images" });
    try {
      const broken = { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("no picture") };
      await page.setInputFiles("#photos-files", PHOTOS);
      await page.waitForFunction(() => /^10 photos: load a model/.test(document.querySelector("#photos-status").textContent));
      await page.setInputFiles("#photos-file", CLIP);
      await page.waitForFunction(() => document.querySelector("#photos-status").textContent === "10 photos");
      await page.setInputFiles("#photos-files", [broken]);
      await page.waitForFunction(() => /^10 photos, and 1 that/.test(document.querySelector("#photos-status").textContent));

      await page.fill("#photos-query", "red house");
      await page.waitForFunction(() => document.querySelector("#photos-found").dataset.query === "red house");
      const shown = await page.locator("#photos-found li").evaluateAll((items) => items.map((item) => item.querySelector(".label").textContent));
      const files = CLIP.map(({ name, buffer }) => [name, buffer.toString("base64")]);
      const expected = await page.evaluate(async ([files, names]) => {
        const { ImageTextMatcher } = await import("./azulejo/index.js");
        const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        const matcher = await ImageTextMatcher.load(Object.fromEntries(files.map(([name, text]) => [name, bytes(text)])));
        const images = await Promise.all(names.map(async (name) => (await fetch(`samples/fashion/${name}`)).blob()));
        const { data: vectors, dims: [, width] } = await matcher.embedImage(images);
        const { data: words } = await matcher.embedText("a photo of red house");
        await matcher.dispose();
        const score = (at) => words.reduce((sum, value, column) => sum + value * vectors[at * width + column], 0);
        return names.map((name, at) => ({ name, score: score(at) })).sort((a, b) => b.score - a.score).map(({ name }) => name);
      }, [files, PHOTOS.map((path) => path.slice(FOLDER.length + 1))]);
      assert.deepEqual(shown, expected);

      await page.click("#clear-photos");
      assert.equal(await page.innerText("#photos-status"), "No photos");
      assert.equal(await page.locator("#photos-found li").count(), 0);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });
});
