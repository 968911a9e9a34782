// Drafts: SmolLM2 says the same with and without, under Node on one thread and two, and a small model in Chromium on both
// devices.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CausalLM, Engine } from "../dist/index.js";
import { endless, ON_AND_ON, SMOLLM } from "./api-models.mjs";
import { deadline } from "./support/deadline.mjs";
import { gpuBrowser } from "./support/gpu-browser.mjs";
import { rejection } from "./support/rejections.mjs";

deadline(8);

const TEXT = "The boats come back at five. The auction begins before the sun is up. Nets dry on the wall, and cats sleep in the shade.";
const PROMPT = `A text, and the same again.\n\n${TEXT}\n\n${TEXT}\n\n`;

for (const threads of [1, 2]) {
  describe(`on ${threads === 1 ? "one thread" : "two threads"}`, () => {
    let engine, lm;
    before(async () => {
      engine = await Engine.create({ device: "cpu", threads });
      lm = await CausalLM.load(SMOLLM, { engine });
    });
    after(() => engine?.dispose());

    /** With drafts, without, and as it likes: the same in all. Gives the first. */
    async function same(options, of = () => lm, prompt = PROMPT) {
      const results = [];
      for (const draft of ["prompt", "off", undefined]) results.push(await of().generate(prompt, { ...options, draft }));
      const [drafted, plain] = results;
      for (const { text, tokens, finishReason } of results)
        assert.deepEqual({ text, tokens, finishReason }, { text: plain.text, tokens: plain.tokens, finishReason: plain.finishReason });
      assert.deepEqual([plain.stats.draftedTokens, plain.stats.acceptedTokens], [0, 0]);
      return drafted;
    }

    test("a text that says again what was said is drafted, and what it says is the same", async () => {
      const { text, stats } = await same({ maxTokens: 40 });
      assert.match(text, /The boats come back at five/);
      assert(stats.acceptedTokens > 20 && stats.acceptedTokens <= stats.draftedTokens && stats.acceptedTokens < 40, JSON.stringify(stats));
    });

    test("so it is where tokens are drawn, and penalised", async () => {
      const drawn = await same({ maxTokens: 30, temperature: 0.4, topP: 0.9, seed: 3 });
      assert(drawn.stats.acceptedTokens > 2, JSON.stringify(drawn.stats));
      await same({ maxTokens: 20, temperature: 1, seed: 4, repetitionPenalty: 1.1, frequencyPenalty: 0.2 });
    });

    test("it ends in the midst of what was drafted: at a stop string, and with as many tokens as were asked for", async () => {
      const stopped = await same({ maxTokens: 40, stop: ["before the"] });
      assert.equal(stopped.finishReason, "stop");
      assert(stopped.text.endsWith("auction begins "), stopped.text);
      for (const maxTokens of [1, 2, 3, 11]) assert.equal((await same({ maxTokens })).tokens.length, maxTokens);
    });

    test("tokens come in their order, and a session has none that were not kept", async () => {
      const [quick, plain] = [lm.createSession(), lm.createSession()];
      const ids = [...(await lm.tokenizer.encode(PROMPT))];
      const seen = [];
      const generation = quick.generate(ids, { maxTokens: 25, draft: "prompt", logprobs: 0 });
      for await (const { id } of generation) seen.push(id);
      const { tokens } = await generation;
      assert.deepEqual(seen, [...tokens]);
      await plain.generate(ids, { maxTokens: 25, draft: "off" });
      assert.equal(quick.length, plain.length);
      const next = [...ids, ...tokens, ...(await lm.tokenizer.encode(" And then"))];
      const [a, b] = [await quick.generate(next, { maxTokens: 8 }), await plain.generate(next, { maxTokens: 8, draft: "off" })];
      assert.deepEqual(a.tokens, b.tokens);
      assert.equal(a.stats.cachedTokens, ids.length + 24);
    });

    if (threads === 2) return;
    test("a grammar's text is the same, too", async () => {
      await same({ maxTokens: 30, regex: "(The (boats|auction)[a-z ]*\\. )+" });
    });

    test("what is no draft is refused", async () => {
      for (const draft of ["on", true, 5, {}, null]) await rejection(() => lm.generate("a", { draft }), "invalid-argument", /^draft should be "prompt" or "off"/);
    });
  });
}

describe("in Chromium", () => {
  const there = gpuBrowser(() => ({ "/endless.gguf": { bytes: endless() } }));

  for (const device of ["cpu", "webgpu"]) {
    test(`on ${device} it says the same, and goes on in its session`, async () => {
      const page = await there.browser.newPage();
      await page.goto(there.server.url);
      const found = await page.evaluate(async ([device, options]) => {
        const { CausalLM, Engine } = await import("/dist/index.js");
        const engine = await Engine.create({ device, threads: 1 });
        const lm = await CausalLM.load("/endless.gguf", { engine });
        const prompt = Array.from({ length: 60 }, (_, at) => 5 + (at % 12) * 3);
        const rows = [];
        for (const more of [{ logitBias: { 7: 50 } }, {}, { temperature: 0.3, seed: 2 }, { temperature: 0.5, topK: 4, seed: 9 }, { repetitionPenalty: 1.05 }, { logprobs: 1 }]) {
          const results = [];
          for (const draft of ["off", "prompt", undefined]) {
            const session = lm.createSession();
            const { tokens, stats } = await session.generate(prompt, { maxTokens: 40, ...options, ...more, draft });
            const next = await session.generate([...prompt, ...tokens, 7], { maxTokens: 4, ...options, draft: "off" });
            results.push({ tokens: [...tokens], next: [...next.tokens], length: session.length, cached: next.stats.cachedTokens, drafted: stats.draftedTokens, accepted: stats.acceptedTokens });
            await session.dispose();
          }
          rows.push({ more, results });
        }
        await engine.dispose();
        return rows;
      }, [device, ON_AND_ON]);
      await page.close();
      for (const { more, results: [off, prompt, auto] } of found) {
        const said = JSON.stringify({ more, prompt });
        for (const { tokens, next, cached } of [prompt, auto]) assert.deepEqual([tokens, next, cached], [off.tokens, off.next, 99], said);
        // What it cannot take back there it does not draft.
        if (device === "webgpu" && more.repetitionPenalty !== undefined) assert.equal(prompt.drafted, 0, said);
        assert(prompt.accepted <= prompt.drafted && off.drafted === 0, said);
      }
      // One token again and again.
      assert(found[0].results[1].accepted > 10, JSON.stringify(found[0].results[1]));
    });
  }
});
