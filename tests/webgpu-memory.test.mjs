// A browser that has no more memory for WebGPU: who asked for it is told, in sizes, and what was there goes on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { endless } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(10);

let browser, server, page;
before(async () => {
  browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  server = await startApiServer({ isolated: false, files: { "/endless.gguf": { bytes: endless() } } });
  page = await browser.newPage();
  await page.goto(server.url);
  await page.evaluate(async () => {
    const { createBuffer } = GPUDevice.prototype;
    // Chrome gives a GiB in one piece to nobody on SwiftShader: vkAllocateMemory fails, as on a GPU that is full.
    GPUDevice.prototype.createBuffer = function (descriptor) {
      const { label } = descriptor;
      return createBuffer.call(this, globalThis.refused?.test(label) ? { ...descriptor, size: 2 ** 30 } : descriptor);
    };
    globalThis.attempt = async (refused, work) => {
      globalThis.refused = refused;
      const outcome = await work().then(() => ({ code: "none" }), ({ code, message }) => ({ code, message }));
      globalThis.refused = undefined;
      return outcome;
    };
    Object.assign(globalThis, await import("/dist/index.js"));
    globalThis.engine = await Engine.create({ device: "webgpu", worker: false });
    globalThis.lm = await CausalLM.load("/endless.gguf", { engine });
    globalThis.ids = (length) => Array.from({ length }, (_, at) => 5 + (at * 7) % 200);
  });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

function assertRefused({ code, message }, what) {
  assert.equal(code, "out-of-memory", message);
  assert.match(message, what);
  assert.match(message, /\(\d+\.\d MiB, besides \d+\.\d MiB in use\)/);
}

test("a cache that cannot grow stays as it was, and so does what is in it", async () => {
  const { refusal, disturbed, undisturbed } = await page.evaluate(async () => {
    // A cache begins with room for 256.
    const run = async (between) => {
      const session = lm.createSession();
      const made = [];
      for (const [length, maxTokens] of [[200, 20], [230, 20], [600, 8]]) {
        const { tokens, stats } = await session.generate(ids(length), { maxTokens, ignoreEnd: true });
        made.push([...tokens], stats.cachedTokens);
        await between?.(session);
        between = undefined;
      }
      await session.dispose();
      return made;
    };
    let refusal;
    const disturbed = await run(async (session) => {
      const work = () => session.generate(ids(300), { maxTokens: 4, ignoreEnd: true });
      refusal = await attempt(/cache/, work);
    });
    return { refusal, disturbed, undisturbed: await run() };
  });
  assertRefused(refusal, /^no GPU memory for the (keys|values)' cache/);
  assert.deepEqual(disturbed, undisturbed);
});

test("a model whose weights have no room is not loaded, and the one that is loaded still speaks", async () => {
  const { before, refusal, after, second } = await page.evaluate(async () => {
    const speak = async (lm) => [...(await lm.generate("in the", { maxTokens: 8, ignoreEnd: true })).tokens];
    const before = await speak(lm);
    const refusal = await attempt(/weights/, () => CausalLM.load("/endless.gguf", { engine, cache: false }));
    const after = await speak(lm);
    return { before, refusal, after, second: await speak(await CausalLM.load("/endless.gguf", { engine, cache: false })) };
  });
  assertRefused(refusal, /^no GPU memory for (vectors of )?weights/);
  assert.deepEqual(after, before);
  assert.deepEqual(second, before);
});
