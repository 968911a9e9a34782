// Aborts under Node: what every call rejects with, before it begins and in its midst, and what errors of the worker show.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { AzulejoError, CausalLM, Engine, inspect } from "../dist/index.js";
import { fromWire, toWire } from "../dist/shared/errors.js";
import { endless, ON_AND_ON } from "./api-models.mjs";
import { rejection } from "./support/rejections.mjs";
import { computingCalls, loadEach } from "./support/calls.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const WHY = new Error("the user went away");

/** Rejects as the platform's own calls do, with the caller's reason. */
async function aborts(work, reason) {
  const error = await rejection(work, "aborted");
  assert.equal(error.name, "AbortError", error.stack);
  assert.equal(error.cause, reason, error.stack);
}

/** A stream whose first bytes come, and no more. */
const stuck = (bytes) => new ReadableStream({ start: (stream) => stream.enqueue(bytes.slice(0, 1000)) });

for (const worker of [true, false]) {
  describe(worker ? "in a worker" : "in the page itself", () => {
    const models = {};
    let engine, lm;
    before(async () => {
      engine = await Engine.create({ threads: 1, worker });
      ({ lm } = Object.assign(models, await loadEach(engine, endless())));
    });
    after(() => engine?.dispose());

    /** Without a tokenizer or a processor, which these checkpoints lack, texts and pictures are refused. */
    const refused = ["TextClassifier.classify", "TokenClassifier.classify", "ImageClassifier.classify", "ImageClassifier.classifyPatches", "ImageClassifier.attention", "ImageClassifier.pixels", "ImageTextMatcher.classify"];
    const calls = {
      "CausalLM.load": (options) => CausalLM.load(endless(), { engine, ...options }),
      inspect: (options) => inspect(endless(), { engine, ...options }),
      ...computingCalls(models),
    };

    test("a signal that is aborted already lets nothing begin", async () => {
      for (const call of Object.values(calls)) await aborts(() => call({ signal: AbortSignal.abort(WHY) }), WHY);
    });

    test("an abort right after the call ends it, even if the answer is on its way", async () => {
      for (const [name, call] of Object.entries(calls)) {
        if (refused.includes(name)) continue;
        const controller = new AbortController();
        const calling = call({ signal: controller.signal });
        controller.abort(WHY);
        await aborts(() => calling, WHY);
      }
    });

    test("what waits for its turn leaves at once", async () => {
      const busy = new AbortController();
      const rows = Array.from({ length: 2000 }, () => [1, 2, 3, 4, 5, 6, 7, 8]);
      const scoring = lm.logits(rows, { last: true, signal: busy.signal });
      scoring.catch(() => {});
      const controller = new AbortController();
      const waiting = lm.logits([1], { signal: controller.signal });
      // It is in the worker by then: an answer to a later call has come.
      await lm.tokenizer.encode("a");
      controller.abort(WHY);
      await aborts(() => waiting, WHY);
      busy.abort(WHY);
      await aborts(() => scoring, WHY);
    });

    test("a load is aborted in its midst, and nothing of it stays", async () => {
      const controller = new AbortController();
      const onProgress = () => controller.abort(WHY);
      const before = await engine.diagnostics();
      await aborts(() => CausalLM.load(stuck(endless()), { engine, signal: controller.signal, onProgress }), WHY);
      const { wasmBytes, peakBytes, ...after } = await engine.diagnostics();
      assert.deepEqual({ wasmBytes, peakBytes, ...after }, { ...before, wasmBytes, peakBytes });
      assert.equal(before.pulls, 0);
    });

    test("a reason that is no error is kept as it is; without one it is the platform's", async () => {
      await aborts(() => lm.logits([1], { signal: AbortSignal.abort("enough") }), "enough");
      const { cause } = await rejection(() => lm.logits([1], { signal: AbortSignal.abort() }), "aborted");
      assert.equal(cause.name, "AbortError");
      const timed = await rejection(() => CausalLM.load(stuck(endless()), { engine, signal: AbortSignal.timeout(1) }), "aborted");
      assert.equal(timed.cause.name, "TimeoutError");
    });

    test("a generation is not failed by an abort", async () => {
      assert.equal((await lm.generate("a", { signal: AbortSignal.abort(WHY) })).finishReason, "aborted");
    });

    test("an error of the worker shows where it was thrown, and which line of the caller's asked", async () => {
      async function theCallersOwn() {
        await lm.logits([lm.summary.vocabularySize]);
      }
      const { stack } = await rejection(theCallersOwn, "invalid-argument");
      assert.match(stack, /^AzulejoError: /);
      assert.match(stack, /theCallersOwn .*aborts\.test\.mjs/);
      assert.match(stack, /at azulejo's worker, called from/);
      const generating = await rejection(async function anotherOfTheirs() {
        await lm.generate([lm.summary.vocabularySize]);
      }, "invalid-argument");
      assert.match(generating.stack, /anotherOfTheirs .*aborts\.test\.mjs/);
      const loading = await rejection(async function aThirdOfTheirs() {
        await CausalLM.load({ "config.json": "{" }, { engine });
      }, "corrupt-file");
      assert.match(loading.stack, /aThirdOfTheirs .*aborts\.test\.mjs/);
    });
  });
}

test("a load that waits for an engine to start is aborted all the same", async () => {
  const controller = new AbortController();
  const loading = CausalLM.load(endless(), { signal: controller.signal });
  controller.abort(WHY);
  await aborts(() => loading, WHY);
  const lm = await CausalLM.load(endless());
  await lm.engine.dispose();
});

test("causes cross as words, as far as they say more", () => {
  const across = (cause) => fromWire(structuredClone(toWire(new AzulejoError("network", "it broke", undefined, { cause }))));
  const deep = new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") });
  assert.equal(across(deep).cause, "TypeError: fetch failed (Error: connect ECONNREFUSED)");
  assert.equal(across({ code: "x", message: "it broke" }).cause, undefined);
  assert.equal(across("words").cause, "words");
  assert.equal(across(undefined).cause, undefined);
  const { name, code, message, where } = fromWire(toWire(new AzulejoError("corrupt-file", "cut", { file: "a", offset: 3 })));
  assert.deepEqual({ name, code, message, where }, { name: "AzulejoError", code: "corrupt-file", message: "cut", where: { file: "a", offset: 3 } });
});
