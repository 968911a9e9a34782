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
/**
 * On a GPU: the bindings' queue of what goes on at the next turn keeps as many places, of 4 bytes, as were ever taken at once.
 * That is the GPU's choice, which may have done the work of five models in one go.
 */
const QUEUE = 64;
const CODES = ["corrupt-file", "corrupt-file", "corrupt-file", "corrupt-file", "invalid-argument", "invalid-argument", "invalid-argument", "missing-file", "invalid-argument"];

function assertNothingStays({ counts, codes, ordered, device }, kind) {
  assert.equal(device, kind);
  assert.deepEqual(codes, CODES);
  assert(ordered, "what lives is part of the peak, and that of the memory");
  const [before, first, ...later] = counts;
  for (const each of later) {
    const more = each.liveBytes - first.liveBytes;
    assert(Math.abs(more) <= (kind === "webgpu" ? QUEUE : 0), `${more} bytes more than after the first`);
    assert.deepEqual({ ...each, liveBytes: 0 }, { ...first, liveBytes: 0 });
  }
  // The names of fields, and what was compiled, are made once and stay.
  assert(first.liveBytes - before.liveBytes < MADE_ONCE, `${first.liveBytes - before.liveBytes} bytes stay`);
  assert.deepEqual({ ...first, liveBytes: 0 }, { ...before, liveBytes: 0 });
}

const bytesOf = (family, name) => new Uint8Array(readFileSync(new URL(`conformance/${family}/${name}`, import.meta.url)));

test("what a long text took is given back when the next one begins, but to a session that may go on from it", async () => {
  const [LONG, EACH] = [6000, 64];
  const engine = await azulejo.Engine.create({ threads: 1 });
  const lm = await azulejo.CausalLM.load(endless(), { engine });
  const live = async (length, of = lm) => {
    await of.generate(Array(length).fill(5), { maxTokens: 2, ignoreEnd: true });
    return (await engine.diagnostics()).liveBytes;
  };
  const short = await live(9);
  // Room for some texts of the usual length stays.
  const most = short + 1024 * EACH;
  assert(await live(LONG) > short + LONG * EACH);
  assert(await live(9) < most);
  const session = lm.createSession();
  await live(LONG, session);
  assert(await live(9) > short + LONG * EACH, "a session keeps what it may go on from");
  await session.dispose();
  assert(await live(9) < most);
  await engine.dispose();
});

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
