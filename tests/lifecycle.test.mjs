// What becomes of engines, models and sessions under Node: disposed of, forgotten, and loaded again after a death.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import vm from "node:vm";
import { AzulejoError, CausalLM, Engine, TextEmbedder } from "../dist/index.js";
import { fileURLToPath } from "node:url";
import { endless, ON_AND_ON, tiny } from "./api-models.mjs";
import { Tap } from "./faults/wire.mjs";
import { rejection } from "./support/rejections.mjs";
import { deadline } from "./support/deadline.mjs";
import { killWorker } from "./support/worker-death.mjs";

deadline(10);

const engines = [];
async function newEngine(options = { threads: 1 }) {
  const engine = await Engine.create(options);
  engines.push(engine);
  return engine;
}
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
});

/** In a process of its own, with `gc()`: what `script` prints, as JSON. `until` collects garbage till something is so. */
function apart(script) {
  const module = (path) => JSON.stringify(new URL(path, import.meta.url).href);
  const source = `
    import { Worker } from "node:worker_threads";
    const { CausalLM, Engine, inspect } = await import(${module("../dist/index.js")});
    const { endless, tiny } = await import(${module("./api-models.mjs")});
    async function until(what) {
      for (let turn = 0; turn < 3000; turn++) {
        gc();
        await new Promise((resolve) => setImmediate(resolve));
        if (await what()) return true;
      }
      return false;
    }
    ${script}`;
  return JSON.parse(execFileSync(process.execPath, ["--expose-gc", "--input-type=module", "-e", source], { timeout: 120_000 }));
}

for (const worker of [true, false]) {
  test(`models, sessions and jobs are counted and gone with their end (worker: ${worker})`, async () => {
    const engine = await newEngine({ threads: 1, worker });
    const counts = async () => {
      const { wasmBytes, liveBytes, peakBytes, ...counts } = await engine.diagnostics();
      assert(liveBytes <= peakBytes && peakBytes < wasmBytes);
      return counts;
    };
    assert.deepEqual(await counts(), { models: 0, sessions: 0, jobs: 0, pulls: 0 });
    const lm = await CausalLM.load(endless(), { engine });
    const session = lm.createSession();
    const generation = session.generate("a", ON_AND_ON);
    await generation[Symbol.asyncIterator]().next();
    assert.deepEqual(await counts(), { models: 1, sessions: 1, jobs: 1, pulls: 0 });
    const ended = rejection(() => generation, "disposed");
    await session[Symbol.asyncDispose]();
    await ended;
    assert.deepEqual(await counts(), { models: 1, sessions: 0, jobs: 0, pulls: 0 });
    await lm[Symbol.asyncDispose]();
    assert.deepEqual(await counts(), { models: 0, sessions: 0, jobs: 0, pulls: 0 });
    await engine[Symbol.asyncDispose]();
    await rejection(() => engine.diagnostics(), "disposed");
  });
}

test("what threads do together is counted, and nothing of one thread", async () => {
  const [one, two] = [await newEngine({ threads: 1 }), await newEngine({ threads: 2 })];
  const counts = async (engine) =>
    Object.fromEntries(Object.entries(await engine.diagnostics()).filter(([name]) => name.startsWith("pool")));
  assert.deepEqual(await counts(one), {});
  const before = await counts(two);
  assert.deepEqual(Object.keys(before).sort(), ["poolAlone", "poolShared", "poolStalls", "poolWaits", "poolWakeUps"]);
  const lm = await CausalLM.load(endless(), { engine: two });
  await lm.logits(Array.from({ length: 100 }, () => [1, 2, 3, 4, 5, 6, 7, 8]));
  const { poolAlone, poolShared } = await counts(two);
  assert(poolAlone + poolShared > before.poolAlone + before.poolShared);
});

test("where the platform has no Symbol.asyncDispose, compilers' name for it is taken", () => {
  const source = readFileSync(new URL("../dist/page/dispose.js", import.meta.url), "utf8").replace("export const", "const");
  const made = vm.runInNewContext(`delete Symbol.asyncDispose; ${source}; Symbol.keyFor(asyncDispose)`);
  // This Node's own contexts may have it: then there is nothing to make.
  assert(made === "Symbol.asyncDispose" || vm.runInNewContext("Symbol.asyncDispose") !== undefined);
});

test("sessions that nobody holds free their caches, those that speak do not, and models follow", () => {
  const seen = apart(`
    const engine = await Engine.create({ threads: 1 });
    const counts = async () => { const { models, sessions } = await engine.diagnostics(); return { models, sessions }; };
    const seen = {};
    let lm = await CausalLM.load(endless(), { engine });
    await (async () => {
      for (let n = 0; n < 5; n++) await lm.createSession().generate([5, 6], { maxTokens: 1, ignoreEnd: true });
    })();
    seen.made = 5;
    seen.freed = await until(async () => (await counts()).sessions === 0);
    // Nobody holds this session but its generation.
    const stop = new AbortController();
    const generation = lm.createSession().generate([5, 6], { ignoreEnd: true, signal: stop.signal });
    await generation[Symbol.asyncIterator]().next();
    seen.ended = await until(async () => (await counts()).sessions === 0 || ++seen.turns > 20, seen.turns = 0) && seen.turns <= 20;
    stop.abort();
    seen.reason = (await generation).finishReason;
    seen.after = await until(async () => (await counts()).sessions === 0);
    lm = undefined;
    seen.model = await until(async () => (await counts()).models === 0);
    await engine.dispose();
    console.log(JSON.stringify(seen));`);
  assert.deepEqual(seen, { made: 5, freed: true, ended: false, turns: 21, reason: "aborted", after: true, model: true });
});

test("an engine that nobody holds ends its worker, but not while it has a model, nor the default one", () => {
  const seen = apart(`
    const workers = new Set();
    let ended = 0;
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (...message) {
      if (!workers.has(this)) { workers.add(this); this.once("exit", () => ended++); }
      return postMessage.apply(this, message);
    };
    const seen = {};
    const turns = async (count) => { let turn = 0; await until(() => ended > 0 || ++turn > count); };
    await (async () => { await (await Engine.create({ threads: 1 })).diagnostics(); })();
    seen.empty = await until(() => ended === 1);
    ended = 0;
    let lm = await (async () => CausalLM.load(endless(), { engine: await Engine.create({ threads: 1 }) }))();
    await turns(30);
    seen.held = ended;
    const talk = async () => (await lm.generate([5, 6], { maxTokens: 2, ignoreEnd: true })).tokens.length;
    seen.made = await talk();
    lm = undefined;
    seen.left = await until(() => ended === 1);
    ended = 0;
    await inspect(tiny());
    await turns(30);
    seen.standard = ended;
    seen.architecture = (await inspect(tiny())).architecture;
    console.log(JSON.stringify(seen));`);
  assert.deepEqual(seen, { empty: true, held: 0, made: 2, left: true, standard: 0, architecture: "llama" });
});

test("a call that is over leaves no bytes asked for", async () => {
  const engine = await newEngine();
  const controller = new AbortController();
  const silent = new ReadableStream({});
  const loading = CausalLM.load(silent, { engine, signal: controller.signal });
  for (let asked = 0; asked === 0;) asked = (await engine.diagnostics()).pulls;
  controller.abort();
  await rejection(() => loading, "aborted");
  assert.equal((await engine.diagnostics()).pulls, 0);
});

/** A folder whose weights can be held back: `hold()` until `go()`. */
function slowFolder(name) {
  const file = (path) => new Blob([readFileSync(fileURLToPath(new URL(`conformance/${name}/${path}`, import.meta.url)))]);
  return { "config.json": file("config.json"), "model.safetensors": file("model.safetensors") };
}

test("a reload is told to the load's onProgress, and one serves all who wait", async () => {
  const engine = await newEngine();
  const stages = [];
  const embedder = await TextEmbedder.load(slowFolder("bert"), { engine, onProgress: ({ stage }) => stages.push(stage) });
  const before = (await embedder.embed([[1, 2]])).data;
  await killWorker(engine);
  stages.length = 0;
  const answers = await Promise.all([embedder.embed([[1, 2]]), embedder.embed([[1, 2]]), embedder.hidden([1])]);
  assert.deepEqual(answers[0].data, before);
  assert.equal(stages.filter((stage) => stage === "ready").length, 1);
  assert.equal((await engine.diagnostics()).models, 1);
});

/** Keeps the connection's "load" calls until `go`, and counts them. */
function holdLoads(connection) {
  const { call } = connection;
  const held = { count: 0, signals: [] };
  const open = new Promise((go) => { held.go = go; });
  connection.call = async function (name, takes, options) {
    if (name === "load") {
      held.count++;
      held.signals.push(options.signal);
      held.started?.();
      await Promise.race([open, new Promise((_, reject) => options.signal?.addEventListener("abort", () => reject(new AzulejoError("aborted", "by the signal"))))]);
    }
    return call.call(this, name, takes, options);
  };
  held.begun = new Promise((started) => { held.started = started; });
  return held;
}

test("an abort of one who waits for a reload leaves it to the others; of the last, ends it", async () => {
  const engine = await newEngine();
  const lm = await CausalLM.load(endless(), { engine });
  await killWorker(engine);
  const held = holdLoads(await engine.connect());
  const [one, two] = [new AbortController(), new AbortController()];
  const calls = [lm.logits([1], { signal: one.signal }), lm.logits([2], { signal: two.signal })];
  const generation = lm.generate("a", { signal: one.signal });
  await held.begun;
  one.abort("enough");
  assert.equal((await rejection(() => calls[0], "aborted")).cause, "enough");
  assert.equal((await generation).finishReason, "aborted");
  assert.equal(held.signals[0].aborted, false);
  two.abort();
  await rejection(() => calls[1], "aborted");
  assert.equal(held.signals[0].aborted, true);
  held.go();
  // Whoever comes then gets a reload of its own.
  assert.deepEqual((await lm.logits([1])).dims.slice(0, 2), [1, 1]);
  assert.equal(held.count, 2);
  assert.equal((await engine.diagnostics()).models, 1);
});

test("a model that is disposed of while it is loaded again is gone, and its calls say so", async () => {
  const engine = await newEngine();
  const lm = await CausalLM.load(endless(), { engine });
  await killWorker(engine);
  const held = holdLoads(await engine.connect());
  const call = lm.logits([1]);
  await held.begun;
  await Promise.all([rejection(() => call, "disposed"), lm.dispose()]);
  held.go();
  assert.equal((await engine.diagnostics()).models, 0);
});

test("a model that kills its worker at every call is loaded again with growing pauses, and given up with a name", async () => {
  const engine = await newEngine();
  const [lm, other] = [await CausalLM.load(tiny(), { engine }), await CausalLM.load(tiny(), { engine })];
  const pauses = [];
  const { setTimeout: later } = globalThis;
  globalThis.setTimeout = (task, ms, ...given) => {
    if (ms >= 200 && ms < 5000) pauses.push(ms);
    return later(task, ms >= 200 && ms < 5000 ? 0 : ms, ...given);
  };
  try {
    /** The worker dies of it. */
    const fatal = async () => {
      const connection = await engine.connect();
      const { call } = connection;
      connection.call = function (name, ...given) {
        if (name === "logits") this.die(new AzulejoError("out-of-memory", "no memory for that"));
        return call.call(this, name, ...given);
      };
      return rejection(() => lm.logits([1]), "out-of-memory");
    };
    for (let death = 0; death < 5; death++) {
      assert.equal((await fatal()).message, "no memory for that");
      // What costs nothing proves nothing.
      if (death < 2) await lm.tokenizer.encode("a");
    }
    assert.deepEqual(pauses, [250, 1000, 4000]);
    const { message } = await fatal();
    assert.match(message, /died again and again, 4 times after a reload \(no memory for that\): load the model anew/);
    assert.equal((await other.generate([5], { maxTokens: 1, ...ON_AND_ON })).tokens.length, 1);
    assert.equal(pauses.length, 3);
  } finally {
    globalThis.setTimeout = later;
  }
});

test("a reload that fails says that it is one; failures and aborts count for no death", async () => {
  const engine = await newEngine();
  let answers = true;
  const bytes = tiny();
  const fetch = async () => {
    if (!answers) throw new TypeError("no network");
    return new Response(bytes, { headers: { "content-length": `${bytes.length}` } });
  };
  const lm = await CausalLM.load("https://a.example/m.gguf", { engine, fetch, cache: false, retries: 0 });
  answers = false;
  await killWorker(engine);
  for (let call = 0; call < 6; call++)
    await rejection(() => lm.logits([1]), "network", /no network \(while the model was loaded again, as its worker had died\)$/);
  const held = holdLoads(await engine.connect());
  for (let call = 0; call < 6; call++) {
    const controller = new AbortController();
    const calling = rejection(() => lm.logits([1], { signal: controller.signal }), "aborted");
    await held.begun;
    controller.abort();
    await calling;
  }
  held.go();
  answers = true;
  assert.equal((await lm.logits([1])).dims[0], 1);
});

test("an answer in between forgives the deaths before it", async () => {
  const engine = await newEngine();
  const lm = await CausalLM.load(tiny(), { engine });
  for (let death = 0; death < 8; death++) {
    await killWorker(engine);
    assert.equal((await lm.logits([1])).dims[0], 1);
  }
});

test("a session whose cache could not be made is made at the next call", async () => {
  const engine = await newEngine();
  const lm = await CausalLM.load(endless(), { engine });
  const session = lm.createSession();
  const connection = await engine.connect();
  const { call } = connection;
  connection.call = function (name, ...given) {
    if (name !== "openSession") return call.call(this, name, ...given);
    connection.call = call;
    return Promise.reject(new AzulejoError("out-of-memory", "no room for a cache"));
  };
  await rejection(() => session.generate("a", { maxTokens: 1 }), "out-of-memory", /no room for a cache/);
  assert.equal((await session.generate([5, 6], { maxTokens: 1, ...ON_AND_ON })).tokens.length, 1);
  assert(session.length >= 2);
  assert.equal((await engine.diagnostics()).sessions, 1);
});

test("a worker starts once the dead one before it is gone, and an engine is disposed of once its worker is", async () => {
  const alive = [];
  class Counting extends Tap {
    started(worker) {
      alive.push(this.alive.size);
      super.started(worker);
    }
  }
  const tap = new Counting();
  tap.install();
  const engine = await newEngine();
  (await engine.connect()).die(new AzulejoError("internal", "for a test"));
  await engine.diagnostics();
  assert.deepEqual(alive, [0, 0]);
  await engine.dispose();
  assert.equal(tap.alive.size, 0);
});
