// The demo page as a visitor meets it: the built page, the real checkpoint, a real browser.

import assert from "node:assert/strict";
import { closeSync, openSync, readSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { visit as visitPage } from "./support/demo.mjs";
import { string, writeGguf } from "./support/gguf.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

deadline(10);

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const MODEL = join(ROOT, "models/SmolLM2-135M-Instruct.Q4_1.gguf");
const DONE = "[data-role=assistant][data-state=done]";

/** The first `length` bytes of the checkpoint: a download that broke off. */
function beginningOfModel(length) {
  const bytes = Buffer.alloc(length);
  const file = openSync(MODEL, "r");
  readSync(file, bytes, 0, length, 0);
  closeSync(file);
  return bytes;
}

describe("the demo page", () => {
  let browser;
  before(async () => { browser = await launchBrowser(); });
  after(() => browser?.close());

  const visit = (server, where = browser) => visitPage(where, { server });

  async function setMaxTokens(page, count) {
    await page.click("#settings summary");
    await page.fill("#max-tokens", String(count));
    await page.fill("#temperature", "0");
    await page.click("#settings summary");
  }

  /** Asks, and gives the last answer's text once it is whole. */
  async function ask(page, question) {
    const before = await page.locator(DONE).count();
    await page.fill("#prompt", question);
    await page.press("#prompt", "Enter");
    await page.locator(DONE).nth(before).waitFor();
    return page.locator(`${DONE} > .text`).nth(before).innerText();
  }

  const places = {
    "on an isolated page": [{ isolated: true }, /\d+ threads?/],
    "on a page without isolation": [{ isolated: false }, /1 thread\b/],
    "under a strict Content-Security-Policy": [{ isolated: true, csp: true }, /\d+ threads?/],
    "under a strict Content-Security-Policy without isolation": [{ isolated: false, csp: true }, /1 thread\b/],
  };
  for (const [place, [serverOptions, threads]] of Object.entries(places)) {
    test(`loads the default checkpoint and answers ${place}`, async () => {
      const { page, complaints, close } = await visit(serverOptions);
      try {
        await page.click("#load-default");
        await page.waitForSelector("body[data-state=ready]");
        assert.match(await page.textContent("#model-card"), threads);
        await setMaxTokens(page, 24);
        assert.match(await ask(page, "What is the capital of France?"), /Paris/);
        assert.match(await page.innerText(`${DONE} .stats`), /\d/);
        assert.equal(await page.locator("#error").isVisible(), false);
        assert.deepEqual(complaints, []);
      } finally {
        await close();
      }
    });
  }

  test("computes on WebGPU for who asks for it, and on the processor for who prefers that", async () => {
    const withGpu = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    const { page, complaints, close } = await visit({ isolated: true, csp: true }, withGpu);
    try {
      // An adapter in software is not taken by itself.
      await page.click("#settings summary");
      await page.selectOption("#device", "webgpu");
      await page.click("#settings summary");
      await page.click("#load-default");
      await page.waitForSelector("body[data-state=ready]");
      assert.match(await page.textContent("#model-card"), /WebGPU: .*swiftshader/i);
      await setMaxTokens(page, 12);
      assert.match(await ask(page, "What is the capital of France?"), /Paris/);
      await page.click("#settings summary");
      await page.selectOption("#device", "cpu");
      await page.click("#reload-model");
      await page.waitForFunction(() => /\d threads?/.test(document.querySelector("#model-card").textContent));
      assert.match(await ask(page, "What is the capital of France?"), /Paris/);
      assert.equal(await page.locator("#error").isVisible(), false);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
      await withGpu.close();
    }
  });

  describe("with a model loaded", () => {
    let page, close;
    before(async () => {
      ({ page, close } = await visit({ isolated: true }));
      await page.click("#load-default");
      await page.waitForSelector("body[data-state=ready]");
    });
    after(() => close?.());
    beforeEach(async () => {
      if (await page.isEnabled("#new-chat")) await page.click("#new-chat");
    });

    test("the stop button ends an answer, and what was written stays", async () => {
      await setMaxTokens(page, 512);
      await page.fill("#prompt", "Write a very long story about a tile maker.");
      await page.press("#prompt", "Enter");
      await page.waitForSelector("[data-role=assistant][data-state=streaming]");
      await page.waitForFunction(() => document.querySelector("[data-role=assistant] .text").textContent.trim() !== "");
      await page.click("#stop");
      await page.waitForSelector(`${DONE}[data-finish=aborted]`);
      assert.notEqual((await page.innerText(`${DONE} .text`)).trim(), "");
      await page.waitForSelector("body[data-state=ready]");
    });

    test("a broken file is refused in words, and the model from before still answers", async () => {
      await page.click("#change-model");
      await page.setInputFiles("#file", { name: "broken.gguf", mimeType: "application/octet-stream", buffer: beginningOfModel(100_000) });
      await page.waitForSelector("#error:not([hidden])");
      assert.equal(await page.getAttribute("#error", "data-code"), "corrupt-file");
      assert.match(await page.innerText("#error"), /damaged or incomplete/);
      await setMaxTokens(page, 24);
      assert.match(await ask(page, "What is the capital of France?"), /Paris/);
    });

    test("a new chat is empty", async () => {
      await setMaxTokens(page, 1);
      await ask(page, "Hello");
      await page.click("#new-chat");
      assert.equal(await page.locator("[data-role]").count(), 0);
      assert.equal(await page.locator("#welcome").isVisible(), true);
    });
  });

  test("shows what a model thinks apart from what it answers", async () => {
    // The prompt opens the thought, and one this small never ends it: all that it writes is thought.
    const model = tinyModel();
    model.metadata["tokenizer.chat_template"] = string("{% for message in messages %}{{ message.content }}{% endfor %}<think>\n");
    const { page, complaints, close } = await visit({ isolated: true });
    try {
      await page.setInputFiles("#file", { name: "tiny.gguf", mimeType: "application/octet-stream", buffer: Buffer.from(writeGguf(model).bytes) });
      await page.waitForSelector("body[data-state=ready]");
      await setMaxTokens(page, 8);
      assert.equal(await ask(page, "Hi"), "");
      assert.notEqual(await page.locator(`${DONE} .thoughts .text`).textContent(), "");
      assert.equal(await page.locator(`${DONE} .thoughts .text`).isVisible(), false);
      await page.click(`${DONE} summary`);
      assert.equal(await page.locator(`${DONE} .thoughts .text`).isVisible(), true);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });

  test("is used from end to end with the keyboard alone", async () => {
    const { page, close } = await visit({ isolated: true });
    const focused = () => page.evaluate(() => document.activeElement.id);
    /** Presses Tab until the focus is on `id`, as someone without a mouse would. */
    async function tabTo(id) {
      const passed = [];
      while (await focused() !== id) {
        assert.ok(passed.length < 40, `Tab does not reach #${id}; it passed ${passed.join(", ")}`);
        await page.keyboard.press("Tab");
        passed.push(await focused());
      }
    }
    try {
      await tabTo("load-default");
      await page.keyboard.press("Enter");
      await page.waitForSelector("body[data-state=ready]");
      await page.waitForFunction(() => document.activeElement.id === "prompt");
      await page.keyboard.type("Write a very long story about a tile maker.");
      await page.keyboard.press("Enter");
      await page.waitForSelector("[data-role=assistant][data-state=streaming]");
      await page.keyboard.press("Escape");
      await page.waitForSelector(`${DONE}[data-finish=aborted]`);
      await page.waitForFunction(() => document.activeElement.id === "prompt");
      await tabTo("new-chat");
      await page.keyboard.press("Enter");
      assert.equal(await page.locator("[data-role]").count(), 0);
    } finally {
      await close();
    }
  });
});
