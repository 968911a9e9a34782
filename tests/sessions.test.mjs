// Sessions that last: saved, kept by name, restored after a reload, copied and cut; under Node, and in Chromium on both devices.

import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { CausalLM, Engine, Seq2SeqLM, sessions } from "../dist/index.js";
import { endless, ON_AND_ON, SMOLLM, tiny } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { rejection } from "./support/rejections.mjs";

deadline(10);

/** As long a conversation as has to be read again where nothing is kept. */
const LONG = 2000;
const ids = (length) => Array.from({ length }, (_, at) => 5 + (at * 7) % 200);

const folder = await mkdtemp(join(tmpdir(), "azulejo-sessions-"));
process.env.AZULEJO_CACHE = folder;
after(() => rm(folder, { recursive: true, force: true }));

for (const [place, options] of Object.entries({ "in a worker": { threads: 2 }, "in this thread": { worker: false } })) {
  describe(place, () => {
    let engine, lm;
    before(async () => {
      engine = await Engine.create(options);
      lm = await CausalLM.load(endless(), { engine });
    });
    after(() => engine?.dispose());

    const say = (of, prompt, options) => of.generate(prompt, { maxTokens: 6, ...ON_AND_ON, ...options });

    test("a restored session goes on with nothing but the last token to compute, in this engine and another", async () => {
      const session = lm.createSession();
      const { tokens } = await say(session, ids(LONG));
      const saved = await session.save();
      assert(saved instanceof Blob && saved.size > LONG * 4);
      const next = [...ids(LONG), ...tokens, 7];
      const expected = await say(lm, next, { temperature: 1, seed: 3 });
      const other = await Engine.create(options);
      for (const where of [engine, other]) {
        const model = where === engine ? lm : await CausalLM.load(endless(), { engine: where });
        const given = { blob: saved, buffer: await saved.arrayBuffer(), view: Buffer.from(await saved.arrayBuffer()) };
        for (const bytes of Object.values(given)) {
          const restored = await model.restoreSession(bytes);
          assert.equal(restored.length, session.length);
          const found = await say(restored, next, { temperature: 1, seed: 3 });
          assert.deepEqual(found.tokens, expected.tokens);
          assert.equal(found.stats.cachedTokens, LONG + 5);
          await restored.dispose();
        }
        assert.equal(given.buffer.byteLength, saved.size, "the buffer was detached");
      }
      await other.dispose();
      await session.dispose();
    });

    test("a clone has what the session had, and each goes its own way", async () => {
      const session = lm.createSession();
      await say(session, ids(300));
      const clone = await session.clone();
      assert.equal(clone.length, session.length);
      const [a, b] = await Promise.all([say(session, [...ids(300), 9]), say(clone, [...ids(300), 11])]);
      assert.deepEqual([a.stats.cachedTokens, b.stats.cachedTokens], [300, 300]);
      assert.deepEqual(a.tokens, (await say(lm, [...ids(300), 9])).tokens);
      assert.deepEqual(b.tokens, (await say(lm, [...ids(300), 11])).tokens);
      await session.dispose();
      // What it shares with the other stays its own.
      assert.equal((await say(clone, [...ids(300), 13])).stats.cachedTokens, 300);
      const untouched = await (await lm.createSession().clone()).clone();
      assert.equal(untouched.length, 0);
      assert.equal((await say(untouched, [5, 6])).stats.cachedTokens, 0);
      await clone.dispose();
    });

    test("a session that is cut has its first tokens", async () => {
      const session = lm.createSession();
      await say(session, ids(300));
      await session.truncate(1e6);
      assert.equal(session.length, 305);
      await session.truncate(200);
      assert.equal(session.length, 200);
      const { tokens, stats } = await say(session, ids(300));
      assert.equal(stats.cachedTokens, 200);
      assert.deepEqual(tokens, (await say(lm, ids(300))).tokens);
      await session.truncate(0);
      assert.equal(session.length, 0);
      await rejection(() => session.truncate(-1), "invalid-argument", /length/);
      await rejection(() => session.truncate(), "invalid-argument", /length/);
      await session.dispose();
      for (const call of [() => session.save(), () => session.clone(), () => session.truncate(1)]) await rejection(call, "disposed", /session/);
    });

    test("saving waits for what is being said, and whoever saves meanwhile loses nothing", async () => {
      const session = lm.createSession();
      const saying = say(session, ids(200), { maxTokens: 40 });
      const saved = session.save();
      const { tokens } = await saying;
      const restored = await lm.restoreSession(await saved);
      assert.equal(restored.length, 200 + tokens.length - 1);
      await restored.dispose();
      await session.dispose();
    });

    test("what is no session of this model is refused by name, and the model goes on", async () => {
      const session = lm.createSession();
      await say(session, ids(100));
      const saved = new Uint8Array(await (await session.save()).arrayBuffer());
      const broken = saved.slice();
      broken[300] ^= 1;
      const other = await CausalLM.load(tiny(), { engine });
      const exact = await CausalLM.load(endless(), { engine, kvCacheType: "f32" });
      const weights = endless();
      weights[weights.length - 5] ^= 1;
      const changed = await CausalLM.load(weights, { engine });
      const wrong = [
        [lm, broken, "corrupt-file", /checksum/],
        [lm, saved.subarray(0, 999), "corrupt-file", /ends too early/],
        [lm, new ArrayBuffer(8), "corrupt-file", /no saved session/],
        [lm, new Blob([]), "corrupt-file", /no saved session/],
        [exact, saved, "invalid-argument", /kvCacheType/],
        [other, saved, "invalid-argument", /another model/],
        [changed, saved, "invalid-argument", /another model/],
      ];
      const { sessions: before } = await engine.diagnostics();
      for (const [model, bytes, code, message] of wrong) await rejection(() => model.restoreSession(bytes), code, message);
      for (const none of [undefined, null, "session", {}, [1, 2]]) await rejection(() => lm.restoreSession(none), "invalid-argument", /^saved should be a Blob or bytes/);
      assert.equal((await engine.diagnostics()).sessions, before, "no session is left of those that were refused");
      assert.equal((await say(session, [...ids(100), 5])).stats.cachedTokens, 100);
      for (const model of [other, exact, changed]) await model.dispose();
      await session.dispose();
    });
  });
}

describe("kept by name", () => {
  let engine, lm;
  before(async () => {
    // A worker has an environment of its own.
    engine = await Engine.create({ worker: false });
    lm = await CausalLM.load(tiny(), { engine });
  });
  after(() => engine?.dispose());

  test("sessions are listed, the latest first, replaced, restored and deleted", async () => {
    assert.deepEqual(await sessions.list(), []);
    const session = lm.createSession();
    await session.generate([5, 6, 7], { maxTokens: 4, ...ON_AND_ON });
    const started = Date.now();
    await sessions.save("Größe/..\\ 1", session);
    await session.generate([5, 6, 7, 8, 9, 10, 11], { maxTokens: 4, ...ON_AND_ON });
    await sessions.save("b", session);
    await sessions.save("b", session);
    const list = await sessions.list();
    assert.deepEqual(list.map(({ name, tokens }) => [name, tokens]).sort(), [["Größe/..\\ 1", 6], ["b", 10]].sort());
    for (const { bytes, saved } of list) assert(bytes > 100 && saved instanceof Date && saved >= started && saved <= Date.now(), `${bytes} bytes, ${saved}`);
    assert(list[0].saved >= list[1].saved);
    const restored = await sessions.restore("Größe/..\\ 1", lm);
    assert.equal(restored.length, 6);
    await sessions.delete("b");
    await sessions.delete("never there");
    assert.deepEqual((await sessions.list()).map(({ name }) => name), ["Größe/..\\ 1"]);
    await rejection(() => sessions.restore("b", lm), "missing-file", /"b"/);
  });

  test("what was broken on the disk is refused, and wrong arguments are", async () => {
    const session = lm.createSession();
    await session.generate([5, 6, 7], { maxTokens: 4, ...ON_AND_ON });
    await sessions.save("c", session);
    const place = join(folder, "sessions");
    for (const name of await readdir(place)) {
      if (name.endsWith(".json")) continue;
      const bytes = await readFile(join(place, name));
      bytes[bytes.length >> 1] ^= 4;
      await writeFile(join(place, name), bytes);
    }
    await rejection(() => sessions.restore("c", lm), "corrupt-file", /checksum/);
    // What is there by a name stays where nothing can be put in its place.
    await sessions.save("c", session);
    process.env.AZULEJO_CACHE = join(folder, "sessions", (await readdir(place))[0]);
    await rejection(() => sessions.save("c", session), "out-of-memory", /"c" could not be kept/);
    await rejection(() => sessions.list(), "internal", /could not be listed/);
    process.env.AZULEJO_CACHE = folder;
    assert.equal((await sessions.restore("c", lm)).length, 6);
    for (const name of ["", 5, undefined]) {
      await rejection(() => sessions.save(name, session), "invalid-argument", /^name/);
      await rejection(() => sessions.restore(name, lm), "invalid-argument", /^name/);
      await rejection(() => sessions.delete(name), "invalid-argument", /^name/);
    }
    await rejection(() => sessions.save("x", {}), "invalid-argument", /^session should be a Session/);
    await rejection(() => sessions.restore("c", Seq2SeqLM), "invalid-argument", /^model should be a CausalLM/);
  });
});

/** In the page: says something in a session, keeps it by name, and says what comes next without it. */
async function keep({ url, device, length }) {
  const { CausalLM, Engine, sessions } = await import("/dist/index.js");
  const engine = await Engine.create({ device });
  const lm = await CausalLM.load(url, { engine, cache: false });
  const prompt = Array.from({ length }, (_, at) => 5 + (at * 7) % 200);
  const session = lm.createSession();
  const { tokens } = await session.generate(prompt, { maxTokens: 6, ignoreEnd: true });
  await sessions.save("talk", session);
  const next = [...prompt, ...tokens, 9];
  const { tokens: expected, stats } = await lm.generate(next, { maxTokens: 8, ignoreEnd: true });
  const said = { next, expected: [...expected], fresh: stats, device: engine.device.kind };
  await engine.dispose();
  return said;
}

/** After a reload: goes on, on whatever device. */
async function goOn({ url, device, next }) {
  const { CausalLM, Engine, sessions } = await import("/dist/index.js");
  const engine = await Engine.create({ device });
  const lm = await CausalLM.load(url, { engine, cache: false });
  const kept = await sessions.list();
  const session = await sessions.restore("talk", lm);
  const { tokens, stats } = await session.generate(next, { maxTokens: 8, ignoreEnd: true });
  await engine.dispose();
  return { found: [...tokens], stats, kept: kept.map(({ name, tokens }) => [name, tokens]), device: engine.device.kind };
}

describe("after a reload", () => {
  let browser, server;
  before(async () => {
    browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    const files = { "/endless.gguf": { bytes: endless() }, "/smollm.gguf": { bytes: await readFile(SMOLLM) } };
    server = await startApiServer({ isolated: true, files });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  for (const [name, url, from, to] of [
    ["SmolLM2 goes on on the CPU", "/smollm.gguf", "cpu", "cpu"],
    ["a small model goes on on WebGPU", "/endless.gguf", "webgpu", "webgpu"],
    ["a small model goes on on WebGPU with what the CPU has saved", "/endless.gguf", "cpu", "webgpu"],
  ]) {
    test(`${name}, with the text that there would have been, and nothing read again`, async (t) => {
      const page = await browser.newPage();
      await page.goto(server.url);
      const { next, expected, fresh, device } = await page.evaluate(keep, { url, device: from, length: LONG });
      assert.equal(device, from);
      await page.reload();
      const { found, stats, kept, device: then } = await page.evaluate(goOn, { url, device: to, next });
      assert.equal(then, to);
      assert.deepEqual(kept, [["talk", LONG + 5]]);
      assert.deepEqual(found, expected);
      assert.equal(fresh.cachedTokens, 0);
      assert.equal(stats.cachedTokens, LONG + 5, "of what was kept nothing is computed again");
      t.diagnostic(`first token after ${stats.firstTokenMs.toFixed()} ms, ${fresh.firstTokenMs.toFixed()} ms without what was kept`);
      await page.evaluate(async () => (await import("/dist/index.js")).sessions.delete("talk"));
      await page.close();
    });
  }

  test("a session that was saved before the GPU was lost goes on after it", async () => {
    const page = await browser.newPage();
    await page.goto(server.url);
    const { before, found, expected, cached } = await page.evaluate(async (prompt) => {
      const [{ CausalLM, Engine }, { loseGpu, watchDevices }] = [await import("/dist/index.js"), await import("/tests/support/webgpu-page.js")];
      watchDevices();
      const engine = await Engine.create({ device: "webgpu", worker: false });
      const lm = await CausalLM.load("/endless.gguf", { engine });
      const session = lm.createSession();
      await session.generate(prompt, { maxTokens: 3, ignoreEnd: true });
      const saved = await session.save();
      const expected = await session.generate([...prompt, 9], { maxTokens: 6, ignoreEnd: true });
      await loseGpu();
      const before = await session.generate([...prompt, 9], { maxTokens: 6, ignoreEnd: true }).then(() => "none", ({ code }) => code);
      const restored = await lm.restoreSession(saved);
      const { tokens, stats } = await restored.generate([...prompt, 9], { maxTokens: 6, ignoreEnd: true });
      return { before, found: [...tokens], expected: [...expected.tokens], cached: stats.cachedTokens };
    }, ids(200));
    assert(["none", "device-lost"].includes(before), before);
    assert.deepEqual(found, expected);
    assert.equal(cached, 200);
    await page.close();
  });
});
