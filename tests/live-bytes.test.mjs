// Bytes that are alive: loading, using, aborting, failing and disposing leave none, wherever a model is.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import * as azulejo from "../dist/index.js";
import { endless } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { cycles } from "./support/cycle.js";
import { deadline } from "./support/deadline.mjs";

deadline(10);

const FAMILIES = ["bert", "t5", "vit", "clip"];
const MADE_ONCE = 32 << 10;
/** On a GPU: what is known of a few more kernels, where an abort came later than the times before. */
const LATE_KERNELS = 1 << 10;
const CODES = ["corrupt-file", "corrupt-file", "corrupt-file", "corrupt-file", "invalid-argument", "invalid-argument", "invalid-argument", "missing-file", "invalid-argument"];

function assertNothingStays({ counts, codes, ordered, device }, kind) {
  assert.equal(device, kind);
  assert.deepEqual(codes, CODES);
  assert(ordered, "what lives is part of the peak, and that of the memory");
  const [before, first, ...later] = counts;
  for (const each of later) {
    const more = each.liveBytes - first.liveBytes;
    assert(kind === "webgpu" ? more >= 0 && more <= LATE_KERNELS : more === 0, `${more} bytes more than after the first`);
    assert.deepEqual({ ...each, liveBytes: 0 }, { ...first, liveBytes: 0 });
  }
  // The names of fields, and what was compiled, are made once and stay.
  assert(first.liveBytes - before.liveBytes < MADE_ONCE, `${first.liveBytes - before.liveBytes} bytes stay`);
  assert.deepEqual({ ...first, liveBytes: 0 }, { ...before, liveBytes: 0 });
}

const bytesOf = (family, name) => new Uint8Array(readFileSync(new URL(`conformance/${family}/${name}`, import.meta.url)));

describe("three cycles after a first one end where they began", () => {
  const files = { lm: endless() };
  for (const family of FAMILIES) files[family] = Object.fromEntries(["config.json", "model.safetensors"].map((name) => [name, bytesOf(family, name)]));

  for (const [place, options] of Object.entries({
    "in this thread": { worker: false },
    "in a worker": { threads: 1 },
    "with a pool of threads": { threads: 3 },
  })) {
    test(place, async () => {
      assertNothingStays(await cycles(azulejo, options, files, 4), "cpu");
    });
  }

  test("on WebGPU", async () => {
    const browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    const server = await startApiServer({ isolated: false, files: { "/endless.gguf": { bytes: files.lm } } });
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      const found = await page.evaluate(async (families) => {
        const read = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
        const files = { lm: await read("/endless.gguf") };
        for (const family of families) {
          files[family] = {};
          for (const name of ["config.json", "model.safetensors"]) files[family][name] = await read(`/tests/conformance/${family}/${name}`);
        }
        const [azulejo, { cycles }] = [await import("/dist/index.js"), await import("/tests/support/cycle.js")];
        return cycles(azulejo, { device: "webgpu" }, files, 4);
      }, FAMILIES);
      assertNothingStays(found, "webgpu");
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
