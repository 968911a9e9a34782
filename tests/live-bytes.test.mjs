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
const CODES = ["corrupt-file", "corrupt-file", "corrupt-file", "corrupt-file", "corrupt-file", "invalid-argument", "invalid-argument", "invalid-argument", "missing-file", "invalid-argument"];

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

/** What a function gives in a page of its own with SwiftShader. */
async function onPage(work, argument) {
  const browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  const server = await startApiServer({ isolated: false, files: { "/endless.gguf": { bytes: endless() } } });
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    return await page.evaluate(work, argument);
  } finally {
    await browser.close();
    await server.close();
  }
}

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
    assertNothingStays(await onPage(async (families) => {
      const read = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
      const files = { lm: await read("/endless.gguf") };
      for (const family of families) {
        files[family] = {};
        for (const name of ["config.json", "model.safetensors"]) files[family][name] = await read(`/tests/conformance/${family}/${name}`);
      }
      const [azulejo, { cycles }] = [await import("/dist/index.js"), await import("/tests/support/cycle.js")];
      return cycles(azulejo, { device: "webgpu" }, files, 4);
    }, FAMILIES), "webgpu");
  });
});

test("the browser itself counts as many bytes on the GPU as are told", async () => {
  const counts = await onPage(async () => {
    const { CausalLM, Engine } = await import("/dist/index.js");
    const sizes = new Map();
    const { createBuffer } = GPUDevice.prototype;
    GPUDevice.prototype.createBuffer = function (...given) {
      const buffer = createBuffer.apply(this, given);
      sizes.set(buffer, buffer.size);
      return buffer;
    };
    const { destroy } = GPUBuffer.prototype;
    GPUBuffer.prototype.destroy = function () {
      sizes.delete(this);
      destroy.call(this);
    };
    const engine = await Engine.create({ device: "webgpu", worker: false });
    const counts = [];
    const count = async () => {
      const { gpuAllocatedBytes: told } = await engine.diagnostics();
      counts.push({ told, held: sizes.values().reduce((all, size) => all + size, 0) });
    };
    const lm = await CausalLM.load("/endless.gguf", { engine });
    await count();
    await lm.generate(Array(300).fill(5), { maxTokens: 8, ignoreEnd: true });
    await lm.logits([1, 2, 3]);
    await count();
    await lm.dispose();
    await count();
    await engine.dispose();
    return counts;
  });
  for (const { told, held } of counts) assert.equal(told, held);
  const [loaded, used, disposed] = counts;
  assert(used.told > loaded.told && loaded.told > disposed.told, JSON.stringify(counts));
});
