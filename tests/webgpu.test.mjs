// WebGPU in Chromium, with SwiftShader for an adapter: which device is taken, its numbers against the reference's and
// the CPU's, generation on it from sampling to aborting, and what happens when it is lost.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Runner } from "../scripts/conformance/runner.mjs";
import { due } from "../scripts/sample.mjs";
import { endless } from "./api-models.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { gpuBrowser } from "./support/gpu-browser.mjs";
import { startServer } from "./support/server.mjs";
import { sureSteps } from "./support/webgpu-page.js";

deadline(20);

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const CASES = join(ROOT, "tests/conformance");
const FAMILIES = Object.keys(JSON.parse(readFileSync(join(CASES, "index.json"), "utf8")).families);
const OPTIONAL = ["subgroups", "shader-f16", "timestamp-query"];

const there = gpuBrowser(() => ({ "/endless.gguf": { bytes: endless({ plain: true }) } }));

/** A page with the package's exports and the helpers of support/webgpu-page.js as globals. */
async function openPage(where = there.browser) {
  const page = await where.newPage();
  await page.goto(there.server.url);
  await page.evaluate(async () => {
    Object.assign(globalThis, await import("/dist/index.js"), await import("/tests/support/webgpu-page.js"));
  });
  return page;
}

/** Runs `work` in a page of its own, after `prepare`. */
async function inPage(work, given, { where, prepare } = {}) {
  const page = await openPage(where);
  try {
    if (prepare) await page.evaluate(prepare);
    return await page.evaluate(work, given);
  } finally {
    await page.close();
  }
}

const deviceOf = async (options) => {
  const engine = await Engine.create(options);
  await engine.dispose();
  return engine.device;
};

describe("the device", () => {
  test("that is asked for is WebGPU, in software too, and says which", async () => {
    for (const options of [{}, { worker: false }, { powerPreference: "low-power" }]) {
      const device = await inPage(deviceOf, { device: "webgpu", ...options });
      assert.equal(device.kind, "webgpu", device.reason);
      assert.match(device.description, /swiftshader/i);
      assert(device.features.includes("subgroups"), device.features.join());
      assert.equal(device.reason, undefined);
    }
  });

  test("\"auto\" is the CPU where the adapter computes in software, and says so by name", async () => {
    for (const options of [{}, { worker: false }]) {
      const device = await inPage(deviceOf, options);
      assert.equal(device.kind, "cpu");
      assert.match(device.reason, /^the only adapter computes in software: .*swiftshader/i);
    }
  });

  test("\"auto\" is WebGPU where the adapter is hardware", async () => {
    const device = await inPage(deviceOf, { worker: false }, { prepare: () => looksLikeHardware() });
    assert.equal(device.kind, "webgpu", device.reason);
    assert.match(device.description, /hopper/);
  });

  const told = {
    "says that it is a fallback": [{ vendor: "somebody", isFallbackAdapter: true }, /software: somebody;/],
    "says so itself, as older browsers have it": [{ vendor: "somebody" }, /software: somebody;/, true],
    "tells nothing else": [{ isFallbackAdapter: true }, /software: a fallback adapter;/],
    "is Mesa's": [{ vendor: "mesa", description: "llvmpipe (LLVM 19.1.7, 256 bits)" }, /software: mesa \/ llvmpipe/],
    "is Windows'": [{ vendor: "microsoft", description: "Microsoft Basic Render Driver" }, /Basic Render Driver/],
  };
  for (const [name, [info, reason, isFallbackAdapter]] of Object.entries(told)) {
    test(`"auto" knows an adapter in software that ${name}`, async () => {
      const device = await inPage(async ([info, isFallbackAdapter]) => {
        GPU.prototype.requestAdapter = async () => ({ info, isFallbackAdapter });
        const engine = await Engine.create({ worker: false });
        await engine.dispose();
        return engine.device;
      }, [info, isFallbackAdapter]);
      assert.equal(device.kind, "cpu");
      assert.match(device.reason, reason);
    });
  }

  test("\"cpu\" is the CPU all the same", async () => {
    const device = await inPage(deviceOf, { device: "cpu" });
    assert.equal(device.kind, "cpu");
    assert.equal(device.reason, undefined);
  });

  test("features that are not to be used are not, and with basic limits none is", async () => {
    const without = await inPage(deviceOf, { device: "webgpu", gpu: { without: ["subgroups"] } });
    assert(!without.features.includes("subgroups"), without.features.join());
    const basic = await inPage(deviceOf, { device: "webgpu", gpu: { basicLimits: true } });
    assert.deepEqual(basic.features.filter((feature) => OPTIONAL.includes(feature)), []);
  });

  const obstacles = {
    "no navigator.gpu": () => { Object.defineProperty(navigator, "gpu", { value: undefined }); },
    "no adapter": () => { GPU.prototype.requestAdapter = async () => null; },
    "no device today": () => { GPUAdapter.prototype.requestDevice = async () => { throw new Error("no device today"); }; },
  };
  for (const [reason, prepare] of Object.entries(obstacles)) {
    test(`${reason}: "auto" is the CPU and says why, and "webgpu" is refused`, async () => {
      const page = await openPage();
      await page.evaluate(() => looksLikeHardware());
      await page.evaluate(prepare);
      const device = await page.evaluate(deviceOf, { worker: false });
      await page.close();
      assert.equal(device.kind, "cpu");
      assert(device.reason.includes(reason), device.reason);
      const failure = await inPage(refusal, { worker: false, device: "webgpu" }, { prepare });
      assert.equal(failure.code, "no-webgpu");
      assert(failure.message.includes(reason), failure.message);
    });
  }

  test("in a browser without WebGPU the worker falls back on the CPU and all its threads", async () => {
    const where = await launchBrowser({ args: ["--disable-features=WebGPU", "--disable-gpu"] });
    try {
      const device = await inPage(deviceOf, { threads: 2 }, { where });
      assert.equal(device.kind, "cpu");
      assert.match(device.description, /2 threads/);
      assert.match(device.reason, /^no (navigator\.gpu|adapter)/);
      assert.equal((await inPage(refusal, { device: "webgpu" }, { where })).code, "no-webgpu");
    } finally {
      await where.close();
    }
  });

  const refusal = (options) => Engine.create(options).then(
    () => ({ code: "none" }),
    ({ code, message }) => ({ code, message }),
  );
});

describe("the numbers", () => {
  let files;
  before(async () => { files = await startServer({ mounts: { "/conformance/": CASES, "/": ROOT }, isolated: true }); });
  after(() => files?.close());

  const variants = {
    "with all that the adapter has": {},
    "without subgroups": { without: ["subgroups"] },
    "with WebGPU's default limits and no features": { basicLimits: true },
  };
  // With the first, as on most devices, a third of the families; with the others a sixth; natively all: native/conformance.rs.
  for (const [variant, [name, gpu]] of Object.entries(variants).entries()) {
    describe(name, () => {
      let runner;
      before(() => { runner = new Runner({ browser: there.browser, server: files, directory: CASES, device: "webgpu", gpu }); });
      after(() => runner?.close());

      for (const family of FAMILIES.filter((_, at) => due(at + variant) || (variant === 0 && due(at + 3)))) {
        test(`${family} is the reference implementation's`, async (t) => {
          const { outcome, detail, failures } = await runner.run(family);
          t.diagnostic(detail);
          assert.equal(outcome, "passed", [detail, ...failures].join("\n"));
        });
      }
    });
  }
});

describe("a model", () => {
  let page;
  const ask = (work, given) => page.evaluate(work, given);
  before(async () => {
    page = await openPage();
    await ask(async () => {
      globalThis.engine = await Engine.create({ device: "webgpu" });
      globalThis.progress = [];
      globalThis.lm = await CausalLM.load("/endless.gguf", { engine, onProgress: (each) => progress.push(each) });
    });
  });
  after(() => page?.close());

  test("tells while it loads how many pipelines are compiled", async () => {
    const told = (await ask(() => progress)).filter(({ stage }) => stage === "compile").flatMap(({ pipelines }) => pipelines ?? []);
    assert(told.length > 0, "no pipelines were reported");
    told.reduce((before, { done, total }) => {
      assert(before <= done && done <= total, JSON.stringify(told));
      return done;
    }, 0);
  });

  test("is inspected for this device", async () => {
    const { fits, memory } = await ask(() => inspect("/endless.gguf", { engine }));
    assert.equal(fits, true);
    assert(memory.weights > 0 && memory.total >= memory.weights + memory.kvCache, JSON.stringify(memory));
  });

  test("draws the same with the same seed, and something else with another", async () => {
    const [one, again, other] = await ask(() => Promise.all([7, 7, 8].map((seed) => ids(lm, "in the", { temperature: 1, seed }))));
    assert.deepEqual(again, one);
    assert.notDeepEqual(other, one);
  });

  for (const narrow of [{ topK: 1 }, { topP: 1e-6 }, { minP: 1 }]) {
    test(`takes the likeliest word where ${JSON.stringify(narrow)} leaves no other`, async () => {
      const [drawn, greedy] = await ask(async (narrow) => [
        await ids(lm, "in the", { temperature: 1, seed: 3, ...narrow }),
        await ids(lm, "in the", {}),
      ], narrow);
      assert.deepEqual(drawn, greedy);
    });
  }

  test("heeds penalties and biases", async () => {
    const once = await ask(() => ids(lm, "in the", { presencePenalty: 100 }));
    assert.equal(new Set(once).size, once.length, once.join());
    const biased = await ask(() => ids(lm, "in the", { temperature: 1, seed: 1, logitBias: { 77: 100 } }));
    assert.deepEqual(new Set(biased), new Set([77]));
  });

  test("gives the log-probabilities that the CPU gives, and the same words with them as without", async () => {
    const { gpu, cpu, plain } = await ask(async () => {
      const onCpu = await CausalLM.load("/endless.gguf", { engine: await Engine.create({ device: "cpu" }) });
      const [gpu, cpu] = [await tokensOf(lm, "on and on", { logprobs: 2 }), await tokensOf(onCpu, "on and on", { logprobs: 2 })];
      await onCpu.engine.dispose();
      return { gpu, cpu, plain: await ids(lm, "on and on", {}) };
    });
    assert.deepEqual(gpu.map(({ id }) => id), plain);
    const sure = sureSteps(cpu);
    assert(sure >= 4, `${sure} steps to compare`);
    for (let step = 0; step < sure; step++) {
      assert.equal(gpu[step].id, cpu[step].id);
      assert.equal(gpu[step].alternatives[0].id, gpu[step].id);
      assert(Math.abs(gpu[step].logprob - cpu[step].logprob) < 0.01, `${gpu[step].logprob} and ${cpu[step].logprob}`);
    }
  });

  test("shows its attention: rows that sum to one, as on the CPU", async () => {
    const { dims, error, sums } = await ask(async () => {
      const onCpu = await CausalLM.load("/endless.gguf", { engine: await Engine.create({ device: "cpu" }) });
      const [gpu, cpu] = [await lm.attentionMaps("in the thing"), await onCpu.attentionMaps("in the thing")];
      await onCpu.engine.dispose();
      const positions = gpu.dims[3];
      const sums = Array.from({ length: gpu.data.length / positions }, (_, row) =>
        gpu.data.slice(row * positions, (row + 1) * positions).reduce((sum, value) => sum + value, 0));
      return { dims: [gpu.dims, cpu.dims], sums, error: Math.max(...gpu.data.map((value, at) => Math.abs(value - cpu.data[at]))) };
    });
    assert.deepEqual(dims[0], dims[1]);
    assert(error < 1e-3, `${error}`);
    assert(sums.every((sum) => Math.abs(sum - 1) < 1e-3), sums.join());
  });

  test("stops at once when it is told to, and goes on working", async () => {
    const { finishReason, made, seen, before, after } = await ask(async () => {
      const before = await ids(lm, "in the", {});
      const controller = new AbortController();
      const generation = lm.generate("a", { ignoreEnd: true, signal: controller.signal });
      let seen = 0;
      for await (const _ of generation) if (++seen === 5) break;
      controller.abort();
      const { finishReason, tokens } = await generation;
      return { finishReason, made: tokens.length, seen, before, after: await ids(lm, "in the", {}) };
    });
    assert.equal(finishReason, "aborted");
    // Those that were on their way; the context would hold 65,536.
    assert(made >= seen && made <= seen + 16, `${made} tokens were made, ${seen} seen`);
    assert.deepEqual(after, before);
  });

  test("ends before a stop string", async () => {
    const { whole, stop, stopped } = await ask(async () => {
      const options = { temperature: 1, seed: 5, maxTokens: 64, ignoreEnd: true };
      const whole = (await lm.generate("in the", options)).text;
      const stop = stopIn(whole);
      return { whole, stop, stopped: await lm.generate("in the", { ...options, stop: [stop] }) };
    });
    assert.equal(stopped.finishReason, "stop");
    assert.equal(stopped.text, whole.slice(0, whole.indexOf(stop)));
  });

  for (const end of ["stop", "abort", "length"]) {
    test(`a session goes on after the end by "${end}" as a new one would`, async () => {
      const { continued, plain, fresh, cached } = await ask(async (end) => {
        const session = lm.createSession();
        const first = Array.from(await endBy(end, session, lm));
        const { prompt, fresh } = await surePrompt(lm, [5, 6, 7, 8, ...first]);
        const continued = await tokensOf(session, prompt, { logprobs: 2 });
        await session.dispose();
        const other = lm.createSession();
        await endBy(end, other, lm);
        const { tokens, stats } = await other.generate(prompt, { maxTokens: 16, ignoreEnd: true });
        await other.dispose();
        return { continued, plain: Array.from(tokens), fresh, cached: stats.cachedTokens };
      }, end);
      assert(cached >= 4, `${cached} tokens were cached`);
      const sure = sureSteps(fresh);
      assert(sure >= 4, `${sure} steps to compare`);
      const expected = fresh.slice(0, sure).map(({ id }) => id);
      assert.deepEqual(continued.slice(0, sure).map(({ id }) => id), expected);
      // Without log-probabilities the device draws by itself, steps ahead.
      assert.deepEqual(plain.slice(0, sure), expected);
      for (let step = 0; step < sure; step++) {
        assert(Math.abs(continued[step].logprob - fresh[step].logprob) < 0.01, `step ${step}`);
      }
    });
  }

  test("takes turns with another model, and one's end leaves the other whole", async () => {
    const { before, meanwhile, code, after } = await ask(async () => {
      const before = await ids(lm, "in the", {});
      const other = await CausalLM.load("/endless.gguf", { engine });
      const endless = other.generate("a", { ignoreEnd: true });
      await endless[Symbol.asyncIterator]().next();
      const meanwhile = await ids(lm, "in the", {});
      const ended = endless.then(() => "done", ({ code }) => code);
      await other.dispose();
      return { before, meanwhile, code: await ended, after: await ids(lm, "in the", {}) };
    });
    assert.equal(code, "disposed");
    assert.deepEqual(meanwhile, before);
    assert.deepEqual(after, before);
  });
});

test("a kernel that the driver refuses has another in its place", async () => {
  const prompt = Array.from({ length: 40 }, (_, at) => 5 + at);
  const speak = async (prompt) => {
    const engine = await Engine.create({ device: "webgpu", worker: false });
    const lm = await CausalLM.load("/endless.gguf", { engine });
    const { fresh } = await surePrompt(lm, prompt);
    await engine.dispose();
    return { fresh, refused: globalThis.refused ?? 0 };
  };
  /** A driver whose subgroups are there when it is asked, and which then cannot compile products that use them. */
  const prepare = () => {
    const { createShaderModule } = GPUDevice.prototype;
    globalThis.refused = 0;
    GPUDevice.prototype.createShaderModule = function ({ code, ...rest }) {
      const refuse = code.startsWith("enable subgroups") && code.includes("weights");
      if (refuse) globalThis.refused += 1;
      return createShaderModule.call(this, { ...rest, code: refuse ? `${code} no more` : code });
    };
  };
  const [plain, without] = [await inPage(speak, prompt), await inPage(speak, prompt, { prepare })];
  assert.equal(plain.refused, 0);
  assert.equal(without.refused, 1, "the first refusal is enough");
  const sure = sureSteps(plain.fresh);
  assert(sure >= 4, `${sure} steps to compare`);
  const ids = (tokens) => tokens.slice(0, sure).map(({ id }) => id);
  assert.deepEqual(ids(without.fresh), ids(plain.fresh));
});

describe("a lost GPU", () => {
  /** Loses it in the midst of a generation; says what became of that and of the next. */
  const loseMidway = async (options) => {
    const engine = await Engine.create({ device: "webgpu", ...options });
    const lm = await CausalLM.load("/endless.gguf", { engine });
    const before = await ids(lm, "in the", {});
    const session = lm.createSession();
    const running = session.generate("a", { ignoreEnd: true });
    const calls = [running, session.generate("b"), lm.generate("c", { ignoreEnd: true })];
    await running[Symbol.asyncIterator]().next();
    await loseGpu();
    const codes = await Promise.all(calls.map((call) => call.then(() => "done", ({ code }) => code)));
    const after = await ids(lm, "in the", {});
    const { kind } = engine.device;
    await engine.dispose();
    return { codes, before, after, kind };
  };

  function assertRecovered({ codes, before, after, kind }) {
    assert.deepEqual(codes, ["device-lost", "device-lost", "device-lost"]);
    assert.deepEqual(after, before);
    assert.equal(kind, "webgpu");
  }

  test("takes what waits with it, and the model comes back: in the page itself", async () => {
    assertRecovered(await inPage(loseMidway, { worker: false }, { prepare: () => watchDevices() }));
  });

  test("takes what waits with it, and the model comes back: in a worker", async () => {
    const page = await openPage();
    try {
      const helpers = readFileSync(new URL("support/webgpu-page.js", import.meta.url), "utf8").replaceAll(/^export /gm, "");
      await page.route("**/worker.js", async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: `${await response.text()}\n${helpers}\nwatchDevices();` });
      });
      assertRecovered(await page.evaluate(loseMidway, {}));
    } finally {
      await page.close();
    }
  });

  test("leaves the CPU to an engine that may use it, if there is no adapter any more", async () => {
    const { made, device } = await inPage(async () => {
      const engine = await Engine.create({ worker: false });
      const lm = await CausalLM.load("/endless.gguf", { engine });
      GPU.prototype.requestAdapter = async () => null;
      await loseGpu();
      await lm.generate("a", { maxTokens: 1 }).catch(() => {});
      const { tokens } = await lm.generate("a", { maxTokens: 3, ignoreEnd: true });
      return { made: tokens.length, device: engine.device };
    }, undefined, { prepare: () => { looksLikeHardware(); watchDevices(); } });
    assert.equal(made, 3);
    assert.equal(device.kind, "cpu");
    assert.match(device.reason, /^no adapter/);
  });
});
