// The extension of examples/ in Chromium: its button's page asks the offscreen document, which holds the model.

import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { CHROMIUM_ARGUMENTS, WEBGPU_ARGUMENTS, findChromium } from "../scripts/chromium.mjs";
import { makeApp } from "./platforms/apps.mjs";
import { STAGES, read } from "./platforms/chromium.mjs";
import { EXTENSION } from "./platforms/matrix.mjs";
import { answer, writeModel } from "./platforms/model.mjs";
import { report } from "./platforms/table.mjs";
import { deadline } from "./support/deadline.mjs";
import { pack } from "./support/package.mjs";

deadline(10);

describe("an extension", () => {
  let packed, app, expected;
  before(async () => {
    packed = pack();
    app = makeApp(packed.tarball, EXTENSION.example);
    copyFileSync(join(writeModel(packed.folder), "tiny.gguf"), join(app, "model.gguf"));
    expected = await answer();
  });
  after(() => packed?.remove());

  /** Opens the button's page in a browser of its own, and reads what it says at that stage. */
  async function ask(device, stage) {
    const browser = await chromium.launchPersistentContext("", {
      executablePath: findChromium(),
      args: [...CHROMIUM_ARGUMENTS, ...WEBGPU_ARGUMENTS, `--disable-extensions-except=${app}`, `--load-extension=${app}`],
    });
    try {
      const background = browser.serviceWorkers()[0] ?? (await browser.waitForEvent("serviceworker"));
      return await read(browser, new URL(`/popup.html?device=${device}`, background.url()).href, stage);
    } finally {
      await browser.close();
    }
  }

  test("answers, isolated or not, and has WebGPU", { timeout: 300_000 }, async () => {
    const { text, device, error } = await ask("auto", STAGES.answer);
    assert.equal(error, undefined);
    assert.equal(text, expected);
    assert.equal(device.kind, "cpu", "a software adapter was taken");
    const gpu = await ask("webgpu", STAGES.device);
    const manifest = join(app, "manifest.json");
    const { cross_origin_opener_policy, cross_origin_embedder_policy, ...rest } = JSON.parse(readFileSync(manifest, "utf8"));
    writeFileSync(manifest, JSON.stringify(rest));
    const single = await ask("auto", STAGES.answer);
    assert.equal(single.text, expected, single.error);
    assert.ok(!single.device.features.includes("threads"));
    report(EXTENSION, "", { isolated: true, threads: device.features.includes("threads"), webgpu: gpu.device?.kind === "webgpu" });
  });
});
