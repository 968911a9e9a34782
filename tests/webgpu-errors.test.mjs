// What a browser's WebGPU does wrong: it is told to the call whose work it was, no token comes of it, and the engine goes
// on. And what is only late.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { endless } from "./api-models.mjs";
import { deadline } from "./support/deadline.mjs";
import { gpuBrowser } from "./support/gpu-browser.mjs";

deadline(10);

const there = gpuBrowser(() => ({ "/endless.gguf": { bytes: endless({ plain: true }) } }));

/** Runs `work` in a page of its own. */
async function inPage(work, given, beforehand = async () => {}) {
  const page = await there.browser.newPage();
  try {
    await beforehand(page);
    await page.goto(there.server.url);
    await page.evaluate(async () => {
      Object.assign(globalThis, await import("/dist/index.js"), await import("/tests/support/webgpu-page.js"));
    });
    return await page.evaluate(work, given);
  } finally {
    await page.close();
  }
}

describe("a command that the GPU refuses", () => {
  /** Breaks one in the midst of a generation. */
  const breakMidway = async (options) => {
    if (options.worker === false) watchCommands();
    const engine = await Engine.create({ device: "webgpu", ...options });
    const lm = await CausalLM.load("/endless.gguf", { engine });
    const before = await ids(lm, "in the", {});
    const seen = [];
    const running = lm.generate("a", { ignoreEnd: true });
    let error;
    try {
      for await (const { id } of running) {
        seen.push(id);
        if (seen.length === 5) await breakGpu();
      }
    } catch ({ code, message }) {
      error = { code, message };
    }
    const after = await ids(lm, "in the", {});
    const right = await ids(lm, "a", { maxTokens: seen.length });
    const { kind } = engine.device;
    await engine.dispose();
    return { error, seen, right, before, after, kind };
  };

  function assertHeard({ error, seen, right, before, after, kind }) {
    assert.equal(error?.code, "internal", JSON.stringify(error));
    assert.match(error.message, /^WebGPU: .*65536/s);
    assert.deepEqual(seen, right, "no token that was not computed");
    assert.deepEqual(after, before);
    assert.equal(kind, "webgpu");
  }

  test("is an error of the call it belongs to, and the next call is right: in the page itself", async () => {
    assertHeard(await inPage(breakMidway, { worker: false }));
  });

  test("is an error of the call it belongs to, and the next call is right: in a worker", async () => {
    const helpers = readFileSync(new URL("support/webgpu-page.js", import.meta.url), "utf8").replaceAll(/^export /gm, "");
    assertHeard(await inPage(breakMidway, {}, (page) => page.route("**/worker.js", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `${await response.text()}\n${helpers}\nwatchCommands();` });
    })));
  });
});

test("the GPU's device ends with the last engine of the page that uses it", async () => {
  const { shared, ended, made } = await inPage(async () => {
    const devices = [];
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...given) {
      devices.push(await requestDevice.apply(this, given));
      return devices.at(-1);
    };
    const create = () => Engine.create({ device: "webgpu", worker: false });
    const speak = async (engine) => {
      const lm = await CausalLM.load("/endless.gguf", { engine });
      return (await lm.generate("a", { maxTokens: 2, ignoreEnd: true })).tokens.length;
    };
    const [first, second] = [await create(), await create()];
    await first.dispose();
    const made = [await speak(second)];
    const shared = devices.length;
    await second.dispose();
    const { reason } = await devices[0].lost;
    made.push(await speak(await create()));
    return { shared, ended: reason, made };
  });
  assert.deepEqual({ shared, ended, made }, { shared: 1, ended: "destroyed", made: [2, 2] });
});

test("engines of one thread share its GPU as the first has asked for it, or say that they cannot", async () => {
  const { same, other, later } = await inPage(async () => {
    const create = (options) => Engine.create({ device: "webgpu", worker: false, ...options });
    const without = { gpu: { without: ["subgroups"] } };
    const first = await create();
    const second = await create();
    const same = second.device.features.includes("subgroups");
    const other = await create(without).then(() => ({}), ({ code, message }) => ({ code, message }));
    await first.dispose();
    await second.dispose();
    const engine = await create(without);
    const later = engine.device.features.includes("subgroups");
    await engine.dispose();
    return { same, other, later };
  });
  assert.deepEqual({ same, later }, { same: true, later: false });
  assert.equal(other.code, "invalid-argument");
  assert.match(other.message, /powerPreference and gpu: another engine .*without.*dispose of it/);
});

describe("a queue that tells late what it has done", () => {
  const generate = async (isLate) => {
    const counts = isLate ? lateQueue() : countEmpty({ empty: 0 });
    const engine = await Engine.create({ device: "webgpu", worker: false });
    const lm = await CausalLM.load("/endless.gguf", { engine });
    if (isLate) Object.assign(counts.told, { submit: 0, tick: 0 });
    const { length } = await ids(lm, "in the", { maxTokens: 64 });
    await engine.dispose();
    return { ...counts, length };
  };

  test("is given nothing to do until it tells", async () => {
    const { told, empty, length } = await inPage(generate, true);
    assert.equal(length, 64);
    assert(empty > 0);
    assert(told.submit >= 5 * told.tick, JSON.stringify(told));
  });

  test("is no queue that tells at once", async () => {
    assert.equal((await inPage(generate, false)).empty, 0);
  });
});
