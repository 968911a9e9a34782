// Ways of kernels that are measured on a GPU and kept: in Chromium, on SwiftShader, where that is asked for by name.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { tiny } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(10);

let browser, server, page;
before(async () => {
  browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  server = await startApiServer({ isolated: true, files: { "/tiny.gguf": { bytes: tiny() } } });
  page = await browser.newPage();
  await page.goto(server.url);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** What an engine says of its device, and the logits that a model on it has. */
function opened(gpu) {
  return page.evaluate(async (gpu) => {
    const { CausalLM, Engine } = await import("/dist/index.js");
    const engine = await Engine.create({ device: "webgpu", gpu });
    const lm = await CausalLM.load("/tiny.gguf", { engine, cache: false });
    const { data } = await lm.logits(Uint32Array.from([3, 5, 7, 11, 13, 17, 19]));
    const { device } = engine;
    await engine.dispose();
    return { device, logits: [...data] };
  }, gpu);
}

/** What is kept of a measurement; `change` is then written in its place. */
function kept(change) {
  return page.evaluate(async (change) => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("azulejo", { create: true });
    for await (const handle of folder.values()) {
      const text = await (await handle.getFile()).text();
      if (change !== undefined) {
        const stream = await handle.createWritable();
        await stream.write(change);
        await stream.close();
      }
      return text;
    }
    return undefined;
  }, change);
}

const WAYS = { oneRow: ["staged", "apart", "wide", "wideApart"], manyRows: ["even", "large", "small"] };

function assertChosen({ choices }) {
  for (const [kernel, ways] of Object.entries(WAYS)) assert(ways.includes(choices[kernel]), JSON.stringify(choices));
}

test("a processor that stands in for a GPU is not measured unless somebody asks, nor is a GPU made out to be another", async () => {
  for (const gpu of [undefined, { lanes: 8 }, { tuning: false }]) {
    assert.equal((await opened(gpu)).device.tuning, undefined);
  }
  assert.equal(await kept(), undefined);
});

test("what is measured is kept, and is what the next engine has", async () => {
  const { device: { tuning: first } } = await opened({ tuning: true });
  assert.equal(first.kept, false);
  assertChosen(first);
  assert.deepEqual(JSON.parse(await kept()).choices, first.choices);
  const { device: { tuning: second } } = await opened({ tuning: true });
  assert.deepEqual(second, { ...first, kept: true });
  assert.equal((await opened({ tuning: "anew" })).device.tuning.kept, false);
});

test("ways that were kept are taken, and compute the same", async () => {
  const { logits } = await opened({ tuning: false });
  const choices = { oneRow: "wideApart", manyRows: "small" };
  await kept(JSON.stringify({ choices, measured: {}, ms: 1 }));
  const { device: { tuning }, logits: others } = await opened({ tuning: true });
  assert.deepEqual(tuning, { choices, measured: {}, ms: 1, kept: true });
  const most = Math.max(...logits.map(Math.abs));
  for (const [at, logit] of others.entries()) assert(Math.abs(logit - logits[at]) <= 1e-5 * most, `${at}: ${logit}, ${logits[at]}`);
});

test("what was kept and is no measurement is measured anew", async () => {
  const sideways = '{"choices": {"oneRow": "sideways", "manyRows": "even"}, "measured": {}, "ms": 1}';
  for (const text of ["{", "null", '{"oneRow": 1}', sideways]) {
    await kept(text);
    const { device: { tuning } } = await opened({ tuning: true });
    assert.equal(tuning.kept, false, text);
    assertChosen(tuning);
  }
});

test("where measuring has ended with the GPU, or with the page, it is tried once more", async () => {
  await kept(JSON.stringify({ begun: 1 }));
  assert.equal((await opened({ tuning: true })).device.tuning.kept, false);
  await kept(JSON.stringify({ begun: 2 }));
  assert.equal((await opened({ tuning: true })).device.tuning, undefined);
  assert.equal((await opened({ tuning: "anew" })).device.tuning.kept, false);
  assert.equal((await opened({ tuning: true })).device.tuning.kept, true);
});

test("it goes with the rest of what is kept", async () => {
  await opened({ tuning: true });
  await page.evaluate(async () => (await import("/dist/index.js")).cache.delete());
  assert.equal(await kept(), undefined);
});
