// The images view of the demo page as a visitor meets it: the built page, the classifier that comes with it, a real
// browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { modelFiles, nameless, onPhones, reachAll, visit } from "./support/demo.mjs";

deadline(10);

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const READY = "#images-view[data-state=ready]";
const CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];
const HASH = "#images";

/** The view once it has classified `picture`. */
async function settled(page, picture) {
  await page.waitForSelector(`#canvas[data-picture="${picture}"]`);
  await page.waitForFunction(() => document.querySelectorAll("#classes li").length > 0);
  await page.waitForSelector(READY);
}

async function chooseSample(page, name) {
  await page.getByRole("button", { name, exact: true }).click();
  await settled(page, name === "Sheet" ? "Sheet of samples" : name);
}

const bestLabel = (page) => page.innerText("#classes li:first-child .label");
const drawn = (page) => page.evaluate(() => document.querySelector("#canvas").toDataURL());

/** Does something, and waits until the picture on the page is another than before. */
async function changes(page, action) {
  const earlier = await drawn(page);
  await action();
  await page.waitForFunction((earlier) => document.querySelector("#canvas").toDataURL() !== earlier, earlier);
}

/** The words below the picture become these: a busy browser tells the page of a pointer when it comes to it. */
async function says(page, words) {
  const { source } = words;
  await page.waitForFunction((source) => new RegExp(source).test(document.querySelector("#patch-info").innerText), source);
}

/** Has the page itself make a picture, and pastes or drops it. A grey ramp, so that places differ. */
async function give(page, how, { width, height, name }) {
  await page.evaluate(async ([how, width, height, name]) => {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    const ramp = context.createLinearGradient(0, 0, width, height);
    ramp.addColorStop(0, "#888");
    ramp.addColorStop(1, "#fff");
    context.fillStyle = ramp;
    context.fillRect(0, 0, width, height);
    const transfer = new DataTransfer();
    transfer.items.add(new File([await canvas.convertToBlob()], name, { type: "image/png" }));
    const options = { bubbles: true, cancelable: true };
    document.body.dispatchEvent(how === "paste"
      ? new ClipboardEvent("paste", { ...options, clipboardData: transfer })
      : new DragEvent("drop", { ...options, dataTransfer: transfer }));
  }, [how, width, height, name]);
}

/** Chooses the sheet of samples and has its windows classified. Gives what is said of them. */
async function classifySheet(page) {
  await chooseSample(page, "Sheet");
  await changes(page, () => page.click("#run-patches"));
  return page.locator("#patch-score").innerText();
}

/** A page with its own classifier, which each test finds with the first sample and nothing laid over it. */
function opened(browser) {
  const it = {};
  before(async () => {
    Object.assign(it, await visit(browser(), { server: { isolated: false, csp: true }, hash: HASH }));
    await settled(it.page, "Ankle boot");
  });
  after(() => it.close?.());
  beforeEach(async () => {
    await chooseSample(it.page, "Ankle boot");
    await it.page.check("#overlay-none");
    await it.page.uncheck("#grid");
  });
  return it;
}

describe("the images view of the demo page", () => {
  let browser;
  before(async () => { browser = await launchBrowser(); });
  after(() => browser?.close());

  const places = {
    "on an isolated page": { isolated: true },
    "on a page without isolation": { isolated: false },
    "under a strict Content-Security-Policy": { isolated: true, csp: true },
  };
  for (const [place, server] of Object.entries(places)) {
    test(`opens with its classifier and a picture that it knows ${place}`, async () => {
      const { page, complaints, close } = await visit(browser, { server, hash: HASH });
      try {
        await settled(page, "Ankle boot");
        assert.equal(await page.getAttribute("body", "data-view"), "images");
        assert.equal(await bestLabel(page), "Ankle boot");
        assert.equal(await page.locator("#classes li").count(), 5);
        assert.match(await page.textContent("#image-model-card"), /Fashion-MNIST ViT.*10 classes.*threads?/s);
        assert.match(await page.innerText("#timing"), /\d m?s for this picture .* threads?/);
        assert.equal(await page.locator("#error").isVisible(), false);
        assert.deepEqual(complaints, []);
      } finally {
        await close();
      }
    });
  }

  test("is a view beside the chat that the address names, and going back goes back", async () => {
    const { page, close } = await visit(browser, { server: { isolated: false } });
    const shown = () => page.evaluate(() => document.body.dataset.view);
    try {
      assert.equal(await shown(), "chat");
      assert.equal(await page.locator("#prompt").isVisible(), true);
      await page.getByRole("link", { name: "Images", exact: true }).press("Enter");
      await settled(page, "Ankle boot");
      assert.equal(new URL(page.url()).hash, HASH);
      assert.equal(await page.locator("#prompt").isVisible(), false);
      assert.equal(await page.getAttribute("nav [aria-current=page]", "href"), HASH);
      await page.goBack();
      await page.waitForSelector("body[data-view=chat]");
      assert.equal(await page.locator("#prompt").isVisible(), true);
      assert.equal(await page.locator("#images-view").isVisible(), false);
    } finally {
      await close();
    }
  });

  describe("with its own classifier", () => {
    const it = opened(() => browser);
    let page;
    beforeEach(() => { page = it.page; });
    afterEach(() => assert.deepEqual(it.complaints, []));

    test("tells the samples apart, with bars as long as the scores", async () => {
      let right = 0;
      for (const name of CLASSES) {
        await chooseSample(page, name);
        right += (await bestLabel(page)) === name;
      }
      assert(right >= 8, `${right} of the 10 samples are right`);
      const { widths, scores } = await page.evaluate(() => ({
        widths: [...document.querySelectorAll("#classes .bar")].map((bar) => Number(bar.style.getPropertyValue("--part"))),
        scores: [...document.querySelectorAll("#classes .score")].map(({ textContent }) => parseFloat(textContent.replace("<", ""))),
      }));
      assert.deepEqual(widths, widths.toSorted((a, b) => b - a));
      for (const [at, score] of scores.entries()) assert(Math.abs(score - 100 * widths[at]) < 0.11, `${score} %, bar ${widths[at]}`);
    });

    test("lays attention over the picture, another for each layer and head", async () => {
      await chooseSample(page, "Sneaker");
      await changes(page, () => page.check("#overlay-attention"));
      assert.equal(await page.getAttribute("#layer", "max"), "6");
      assert.equal(await page.getAttribute("#head", "max"), "3");
      assert.equal(await page.getAttribute("#layer", "aria-valuetext"), "all, rolled out");
      for (const slider of ["layer", "layer", "head", "head", "opacity"]) {
        await changes(page, () => page.press(`#${slider}`, slider === "opacity" ? "ArrowLeft" : "ArrowRight"));
      }
      assert.equal(await page.innerText("#layer-value"), "2 of 6");
      assert.equal(await page.innerText("#head-value"), "2 of 3");
      await changes(page, () => page.check("#overlay-none"));
      assert.equal(await page.locator("#layer").isVisible(), false);
    });

    test("draws the patches that the model cuts the picture into", async () => {
      await changes(page, () => page.check("#grid"));
      assert.match(await page.innerText("#grid-caption"), /28 × 28 pixels.*7 × 7 patches of 4 × 4/);
      await changes(page, () => page.uncheck("#grid"));
    });

    test("exchanges light and dark, and back", async () => {
      await chooseSample(page, "Trouser");
      await changes(page, () => page.click("#invert"));
      assert.equal(await page.getAttribute("#invert", "aria-pressed"), "true");
      await page.waitForSelector(READY);
      await changes(page, () => page.click("#invert"));
      await page.waitForSelector(READY);
      assert.equal(await bestLabel(page), "Trouser");
    });

    test("classifies the windows of the sheet, and most of them right", async () => {
      await chooseSample(page, "Sheet");
      assert.equal(await page.isChecked("#overlay-patches"), true);
      assert.match(await page.innerText("#patch-count"), /15 × 15 = 225/);
      const text = await classifySheet(page);
      const [, right, of] = /^(\d+) of (\d+) right/.exec(text).map(Number);
      assert.equal(of, 225);
      assert(right >= 0.85 * of, text);
      const counts = await page.locator("#legend .numbers").allInnerTexts();
      assert.equal(counts.map(Number).reduce((sum, count) => sum + count), 225);
      assert.equal(counts.length, 10);
    });

    test("says what a window may be, to a pointer and to the arrow keys", async () => {
      await classifySheet(page);
      const { width, height } = await page.locator("#canvas").boundingBox();
      await page.hover("#canvas", { position: { x: (2.5 * width) / 15, y: (4.5 * height) / 15 } });
      await says(page, /^Row 5, column 3: [A-Z].* \d+\.\d %, /);
      await page.focus("#canvas");
      await changes(page, () => page.keyboard.press("ArrowRight"));
      await says(page, /^Row 5, column 4: /);
      for (const key of ["ArrowUp", "ArrowLeft"]) await page.keyboard.press(key);
      await says(page, /^Row 4, column 3: /);
    });

    test("shows where one class is likely", async () => {
      await classifySheet(page);
      const trouser = page.locator("#legend button[data-label=Trouser]");
      await changes(page, () => trouser.click());
      assert.equal(await trouser.getAttribute("aria-pressed"), "true");
      await changes(page, () => trouser.click());
      assert.equal(await trouser.getAttribute("aria-pressed"), "false");
    });

    test("stops classifying windows within a batch, and goes on to the next picture", async () => {
      await give(page, "paste", { width: 1200, height: 800, name: "ramp.png" });
      await settled(page, "Pasted picture");
      await page.check("#overlay-patches");
      await page.fill("#patch-size", "28");
      await page.fill("#patch-stride", "2");
      assert.match(await page.innerText("#patch-count"), /387 × 587 = 227,169 windows/);
      await page.press("#patch-stride", "Enter");
      await page.waitForFunction(() => document.querySelector("#patch-progress").value > 0);
      await page.click("#stop-patches");
      await page.waitForSelector("#run-patches:visible");
      assert.equal(await page.innerText("#patch-count"), "Stopped");
      await page.waitForSelector(READY);
      await page.click("#run-patches");
      await page.waitForFunction(() => document.querySelector("#patch-progress").value > 0);
      await chooseSample(page, "Bag");
      await page.waitForSelector("#run-patches:visible");
      assert.equal(await bestLabel(page), "Bag");
      assert.equal(await page.locator("#error").isVisible(), false);
    });

    test("takes a picture that is dropped", async () => {
      await give(page, "drop", { width: 300, height: 40, name: "dropped.png" });
      await settled(page, "dropped.png");
      assert.match(await page.getAttribute("#canvas", "aria-label"), /dropped\.png, 300 × 40 pixels/);
    });

  });

  describe("with what is wrong", () => {
    const it = opened(() => browser);
    let page;
    beforeEach(() => { page = it.page; });

    test("says in words what is wrong with a broken picture, and keeps the one before", async () => {
      const png = readFileSync(join(ROOT, "www/samples/fashion-sheet.png"));
      const broken = { empty: Buffer.alloc(0), text: Buffer.from("no picture"), "cut off": png.subarray(0, 40) };
      for (const [kind, buffer] of Object.entries(broken)) {
        await page.setInputFiles("#picture-file", { name: `${kind}.png`, mimeType: "image/png", buffer });
        await page.waitForSelector("#error:not([hidden])");
        assert.equal(await page.getAttribute("#error", "data-code"), "corrupt-file", kind);
        assert.match(await page.innerText("#error"), new RegExp(`${kind}\\.png`));
        assert.equal(await page.getAttribute("#canvas", "data-picture"), "Ankle boot");
        await page.click("#error-close");
        assert.equal(await page.evaluate(() => document.activeElement.id), "picture-file");
      }
    });

    test("says in words what is wrong with a model, and keeps the one before", async () => {
      const wrong = {
        "missing-file": [modelFiles("vit")[0]],
        "unsupported-model": modelFiles("llama"),
        "corrupt-file": [modelFiles("vit")[0], { ...modelFiles("vit")[1], buffer: Buffer.alloc(100, 1) }],
      };
      for (const [code, files] of Object.entries(wrong)) {
        await page.click("#image-change-model");
        await page.setInputFiles("#image-file", files);
        await page.waitForSelector(`#error:not([hidden])[data-code=${code}]`);
        assert.match(await page.innerText("#error-advice"), /still loaded/);
        await chooseSample(page, "Coat");
        assert.equal(await page.locator("#error").isVisible(), false);
      }
    });
  });

  test("loads a model of the visitor's own, and shows what it crops off", async () => {
    const { page, complaints, close } = await visit(browser, { server: { isolated: false, csp: true }, hash: HASH });
    try {
      await settled(page, "Ankle boot");
      await page.click("#image-change-model");
      const crops = JSON.stringify({ do_resize: true, size: { shortest_edge: 64 }, do_center_crop: true, crop_size: { height: 48, width: 48 } });
      await page.setInputFiles("#image-file", modelFiles("vit", { "preprocessor_config.json": crops }));
      await page.waitForFunction(() => /7 classes/.test(document.querySelector("#image-model-card").textContent));
      await settled(page, "Ankle boot");
      assert.match(await bestLabel(page), /^LABEL_[0-6]$/);
      await give(page, "drop", { width: 400, height: 200, name: "wide.png" });
      await settled(page, "wide.png");
      const brightness = () => page.evaluate(() => {
        const canvas = document.querySelector("#canvas");
        const { data } = canvas.getContext("2d").getImageData(0, Math.round(canvas.height * 0.4), canvas.width, 1);
        return [0.29, 0.34, 0.66, 0.71].map((part) => data[4 * Math.round(canvas.width * part)]);
      });
      const plain = await brightness();
      await changes(page, () => page.check("#grid"));
      assert.match(await page.innerText("#grid-caption"), /48 × 48 pixels.*3 × 3 patches of 16 × 16/);
      // Of 400 × 200 the middle 150 × 150 is seen: 0.3125 to 0.6875 of the width.
      const dimmed = (await brightness()).map((level, at) => level < 0.7 * plain[at]);
      assert.deepEqual(dimmed, [true, false, false, true]);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });

  test("says so where there is no WebGPU, and goes on with the CPU", async () => {
    const { page, close } = await visit(browser, { server: { isolated: false }, hash: HASH });
    try {
      await settled(page, "Ankle boot");
      assert.equal(await page.isChecked("#compute-cpu"), true);
      await page.click("#compute-webgpu");
      await page.waitForSelector("#error:not([hidden])[data-code=no-webgpu]");
      await page.waitForFunction(() => document.querySelector("#compute-cpu").checked);
      await chooseSample(page, "Bag");
      assert.equal(await bestLabel(page), "Bag");
    } finally {
      await close();
    }
  });

  test("computes on WebGPU for who asks for it, and on the CPU for who prefers that", async () => {
    const withGpu = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    const { page, complaints, close } = await visit(withGpu, { server: { isolated: false, csp: true }, hash: HASH });
    try {
      await settled(page, "Ankle boot");
      // An adapter in software is not taken by itself.
      assert.equal(await page.isChecked("#compute-cpu"), true);
      await page.check("#compute-webgpu");
      await page.waitForFunction(() => /WebGPU: .*swiftshader/i.test(document.querySelector("#timing").textContent));
      await page.waitForSelector(READY);
      assert.equal(await bestLabel(page), "Ankle boot");
      const onGpu = await page.innerText("#classes");
      await changes(page, () => page.check("#overlay-attention"));
      await page.check("#compute-cpu");
      await page.waitForFunction(() => /wasm simd/.test(document.querySelector("#timing").textContent));
      await page.waitForSelector(READY);
      assert.equal(await page.innerText("#classes"), onGpu);
      assert.equal(await page.locator("#error").isVisible(), false);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
      await withGpu.close();
    }
  });

  test("takes a still from the camera and lets the camera go", async () => {
    const withCamera = await launchBrowser({ args: ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] });
    const { page, complaints, close } = await visit(withCamera, { server: { isolated: true, csp: true }, hash: HASH });
    try {
      await page.waitForSelector('#canvas[data-picture="Ankle boot"]');
      await page.click("#camera");
      await page.waitForFunction(() => document.activeElement.id === "shutter");
      assert.equal(await page.locator("#viewfinder").isVisible(), true);
      await page.click("#shutter");
      await settled(page, "Picture from the camera");
      assert.equal(await page.locator("#viewfinder").isVisible(), false);
      assert.equal(await page.evaluate(() => document.querySelector("#viewfinder").srcObject), null);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
      await withCamera.close();
    }
  });

  test("every control has a name, and the keyboard reaches those that are shown", async () => {
    const { page, close } = await visit(browser, { server: { isolated: false }, hash: HASH });
    try {
      await settled(page, "Ankle boot");
      assert.deepEqual(await nameless(page), []);
      await reachAll(page, ["image-change-model", "picture-file", "camera", "invert", "compute-cpu", "overlay-none", "grid"]);
      await page.focus("#overlay-none");
      await page.keyboard.press("ArrowRight");
      assert.equal(await page.isChecked("#overlay-attention"), true);
      assert.equal(await page.locator("#layer").isVisible(), true);
    } finally {
      await close();
    }
  });

  test("fits a phone, upright and across", () => onPhones(browser, HASH, async (page) => {
    await settled(page, "Ankle boot");
    await page.tap("#samples li:last-child button");
    await settled(page, "Sheet of samples");
  }));
});
