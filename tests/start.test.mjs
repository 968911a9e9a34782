// How an engine starts, and starts again: files of two releases, threads that do not come, an instance that has failed.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, mock, test } from "node:test";
import * as azulejo from "../dist/index.js";
import { startThreads } from "../target/js/host/pool.js";
import { readTrap } from "../target/js/host/traps.js";
import { endless } from "./api-models.mjs";
import { memoryEnds } from "./support/wasm.mjs";
import { deadline } from "./support/deadline.mjs";
import { gpuBrowser } from "./support/gpu-browser.mjs";

deadline(10);

const DEADLINE = { timeout: 120_000 };
const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));

describe("in a browser", DEADLINE, () => {
  const there = gpuBrowser(() => ({ "/endless.gguf": { bytes: endless({ plain: true }) } }));

  /** Runs `work` in a page of its own, to which files come as `changes` (path → what becomes of the body) has made them. */
  async function inPage(work, given, changes = {}) {
    const page = await there.browser.newPage();
    const stray = [];
    page.on("pageerror", (error) => stray.push(error));
    try {
      for (const [path, change] of Object.entries(changes)) {
        await page.route(`**/dist/${path}`, async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, body: change(await response.body()) });
        });
      }
      await page.goto(there.server.url);
      await page.evaluate(async () => Object.assign(globalThis, await import("/dist/index.js")));
      const answer = await page.evaluate(work, given);
      assert.deepEqual(stray, []);
      return answer;
    } finally {
      await page.close();
    }
  }

  const start = (options) => Engine.create({ device: "cpu", ...options }).then(
    ({ device }) => device,
    ({ code, message }) => ({ code, message }),
  );
  const another = (body) => String(body).replace(`"${version}"`, '"0.0.7"');

  test("the package's version is package.json's", async () => {
    assert.equal(azulejo.version, version);
  });

  test("a worker of another release is refused by name", async () => {
    const { code, message } = await inPage(start, {}, { "worker.js": another });
    assert.equal(code, "internal");
    assert.match(message, new RegExp(`the page is azulejo ${version}, its worker 0\\.0\\.7`));
  });

  test("so is one of a release that told no version", async () => {
    const old = () => 'onmessage = ({ data: { id } }) => postMessage({ kind: "result", id, value: { kind: "cpu" } });';
    const { code, message } = await inPage(start, {}, { "worker.js": old });
    assert.equal(code, "internal");
    assert.match(message, new RegExp(`the page is azulejo ${version}, its worker of an older release`));
  });

  test("threads of another release are done without, and the device says why", async () => {
    // The page cannot change what a worker's worker is given.
    const copy = (path) => readFile(new URL(`../dist/${path}`, import.meta.url));
    for (const path of ["worker.js", "thread.js", "relaxed/azulejo_bg.wasm"]) there.server.files[`/old/${path}`] = { bytes: await copy(path), type: path };
    there.server.files["/old/thread.js"].bytes = Buffer.from(another(await copy("thread.js")));
    const device = await inPage(start, { threads: 3, assets: "/old/" });
    assert.match(device.description, /1 thread$/);
    assert.match(device.reason, new RegExp(`3 threads were asked for: the worker is azulejo ${version}, its thread 0\\.0\\.7`));
  });

  test("so is a core of another release", async () => {
    // (import "x" "y" (func))
    const stranger = () => Buffer.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 2, 7, 1, 1, 120, 1, 121, 0, 0]);
    for (const [build, options] of Object.entries({ simd: { worker: false }, relaxed: {} })) {
      const { code, message } = await inPage(start, options, { [`${build}/azulejo_bg.wasm`]: stranger });
      assert.equal(code, "internal");
      assert.match(message, new RegExp(`${build}/azulejo_bg\\.wasm is not of azulejo ${version}`));
    }
  });

  test("where relaxed SIMD is missing there are threads all the same", async () => {
    const without = (body) => `{
      const { validate } = WebAssembly;
      WebAssembly.validate = (bytes) => bytes.length !== 36 && validate(bytes);
    }\n${body}`;
    const device = await inPage(start, { threads: 2 }, { "worker.js": without });
    assert.deepEqual(device.features, ["simd128", "threads"]);
    assert.equal(device.reason, undefined);
    const { features } = await inPage(start, { threads: 2 });
    assert.deepEqual(features, ["simd128", "relaxed-simd", "threads"]);
  });

  /** In the page's own thread: it fails as `how` says, and the same model is asked again; a model beside it, too. */
  const comeBack = async ({ how, device = "cpu" }) => {
    const engine = await Engine.create({ worker: false, device });
    const load = () => CausalLM.load("/endless.gguf", { engine, contextLength: 64 });
    const [lm, other] = [await load(), await load()];
    const made = async (lm) => [...(await lm.generate("a", { maxTokens: 3, ignoreEnd: true })).tokens];
    const before = await made(lm);
    // The core draws its seed there: an exception that no Rust code catches ends it as a trap would.
    const drawing = async (random) => {
      const { random: real } = Math;
      Math.random = random;
      try {
        await lm.generate("b", { temperature: 1 });
      } finally {
        Math.random = real;
      }
    };
    const deeper = () => deeper() + 1;
    const fail = {
      trap: () => drawing(() => { throw new WebAssembly.RuntimeError("unreachable"); }),
      exception: () => drawing(() => { throw new TypeError("from below"); }),
      overflow: () => drawing(deeper),
      memory: () => lm.tokenizer.encode("a".repeat(20e6)),
    };
    const failure = await fail[how]().then(() => "none", ({ code, message }) => `${code}: ${message}`);
    const after = [await made(lm), await made(other), await made(lm)];
    const { models } = await engine.diagnostics();
    await engine.dispose();
    return { before, failure, after, models, kind: engine.device.kind };
  };

  function assertBack({ before, after, models, failure }, what) {
    assert.match(failure, what);
    assert.deepEqual(after, [before, before, before]);
    assert.equal(models, 2);
  }

  for (const [how, what] of Object.entries({
    trap: /^internal: .*unreachable/,
    exception: /^internal: .*from below/,
    overflow: /^internal: .*(call stack|recursion)/,
  })) {
    test(`a page's own instance comes back after a failure: ${how}`, async () => {
      assertBack(await inPage(comeBack, { how }), what);
    });
  }

  test("a page's own instance comes back with its GPU", async () => {
    const back = await inPage(comeBack, { how: "trap", device: "webgpu" });
    assertBack(back, /^internal: .*unreachable/);
    assert.equal(back.kind, "webgpu");
  });

  test("a page's own instance comes back after it has run out of memory", async () => {
    // 16 MiB: the models fit, the text does not.
    const changes = { "simd/azulejo_bg.wasm": (body) => memoryEnds(body, 256) };
    assertBack(await inPage(comeBack, { how: "memory" }, changes), /^out-of-memory: .*no memory for \d{8} bytes/);
  });
});

describe("under Node", DEADLINE, () => {
  test("there are threads, also where relaxed SIMD is missing", async () => {
    const engine = await azulejo.Engine.create({ device: "cpu", threads: 2 });
    await engine.dispose();
    const { description, features, reason } = engine.device;
    assert.deepEqual({ description, reason }, { description: "wasm simd128, 2 threads", reason: undefined });
    const hasRelaxed = Number(process.versions.node.split(".")[0]) >= 22;
    assert.equal(features.includes("relaxed-simd"), hasRelaxed);
  });
});

describe("the pool", DEADLINE, () => {
  const silent = new URL("support/silent-thread.mjs", import.meta.url).href;

  test("does without threads that never say that they are ready, and says so", async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      let starting;
      const port = await new Promise((resolve) => { starting = startThreads({ memory }, 3, silent, resolve); });
      mock.timers.tick(10_000);
      const pool = await starting;
      assert.equal(pool.count, 1);
      assert.match(pool.reason, /said nothing for 10 seconds/);
      port.close();
      pool.run();
    } finally {
      mock.timers.reset();
    }
  });
});

describe("a trap", () => {
  const wreck = (pages, maximum, most = maximum * 65536) =>
    ({ memory: new WebAssembly.Memory({ initial: pages, maximum, shared: true }), most, notesAt: 0 });
  const codeOf = (...given) => readTrap(...given).code;

  test("is for want of memory where the core has left the size of what it was refused", () => {
    const left = wreck(1, 65536);
    new Uint32Array(left.memory.buffer)[2] = 3_000_000_000;
    assert.deepEqual(readTrap("unreachable", left), { code: "out-of-memory", message: "unreachable: no memory for 3000000000 bytes" });
  });

  test("is for want of memory where the memory is full, for this device's measure of full", () => {
    assert.equal(codeOf("unreachable", wreck(1, 65536)), "internal");
    assert.equal(codeOf("unreachable", wreck(16000, 16384)), "out-of-memory");
    assert.equal(codeOf("unreachable", wreck(16000, 65536)), "internal");
  });

  test("is for want of memory where the memory cannot grow any more, whatever it was promised", () => {
    assert.equal(codeOf("unreachable", wreck(1, 100, 2 ** 32)), "out-of-memory");
  });

  test("tells what a panic said, with a size where too much was asked for", () => {
    const left = wreck(1, 65536);
    const words = new TextEncoder().encode("panicked at src/a.rs:1:2:\ncapacity overflow");
    new Uint32Array(left.memory.buffer)[3] = words.length;
    new Uint8Array(left.memory.buffer).set(words, 16);
    const { code, message } = readTrap("unreachable", left);
    assert.equal(code, "out-of-memory");
    assert.match(message, /^unreachable: panicked at src\/a\.rs:1:2:\ncapacity overflow: no memory for 2 GiB or more/);
  });

  test("is for want of memory where it says so", () => {
    assert.equal(codeOf("memory allocation of 8 bytes failed", wreck(1, 65536)), "out-of-memory");
  });

  test("out of a memory's bounds is no want of memory", () => {
    for (const words of ["memory access out of bounds", "Out of bounds memory access", "index out of bounds"])
      assert.equal(codeOf(words, wreck(16000, 16384)), "internal");
  });
});
