// Texts that outgrow their context: under Node, and in Chromium on both devices.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { CausalLM, Engine, Seq2SeqLM } from "../dist/index.js";
import { ON_AND_ON, SMOLLM, tiny } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { family } from "./support/calls.mjs";
import { rejection } from "./support/rejections.mjs";
import { writer } from "./support/writers.mjs";

deadline(5);

const [CONTEXT, KEEP] = [24, 5];
const ids = (length) => Array.from({ length }, (_, at) => 5 + (at * at * 7) % 200);

/** What the context has of a text, token by token. */
function left(text, { context = CONTEXT, keep = KEEP } = {}) {
  const has = [];
  for (const token of text) {
    if (has.length === context) has.splice(keep, Math.floor((context - keep) / 2));
    has.push(token);
  }
  return has;
}

const shift = { ...ON_AND_ON, contextShift: { keep: KEEP } };

describe("under Node", () => {
  let engine, lm;
  before(async () => {
    engine = await Engine.create({ threads: 2 });
    lm = await CausalLM.load(tiny(), { engine, contextLength: CONTEXT });
  });
  after(() => engine?.dispose());

  for (const [length, why] of [[10, "fits"], [61, "does not fit"]]) {
    test(`after a prompt that ${why} each token is the one that follows what is left`, async () => {
      const prompt = ids(length);
      const { tokens, finishReason, stats } = await lm.generate(prompt, { ...shift, maxTokens: 60 });
      const text = [...prompt];
      for (const token of tokens) {
        const { tokens: [expected] } = await lm.generate(left(text), { ...ON_AND_ON, maxTokens: 1 });
        assert.equal(token, expected, `after ${text.length} tokens`);
        text.push(token);
      }
      assert.equal(finishReason, "length");
      const { promptTokens, cachedTokens, generatedTokens, droppedTokens } = stats;
      assert.deepEqual([promptTokens, cachedTokens, generatedTokens], [length, 0, 60]);
      assert.equal(droppedTokens, length + 59 - left(text.slice(0, -1)).length);
    });
  }

  test("the text is streamed without a break, and a stop string is found across it", async () => {
    const options = { ...shift, temperature: 1, seed: 4, maxTokens: 90 };
    let streamed = "";
    const generation = lm.generate("in the ", options);
    for await (const piece of generation.stream()) streamed += piece;
    const { text, tokens } = await generation;
    assert.equal(streamed, text);
    assert.equal(text, await lm.tokenizer.decode(tokens));
    // Begun before the first slide, and ended after it.
    const prompt = await lm.tokenizer.encode("in the ");
    const [from, to] = [CONTEXT - prompt.length - 2, CONTEXT - prompt.length + 4];
    const [before, stop] = await Promise.all([tokens.slice(0, from), tokens.slice(from, to)].map((part) => lm.tokenizer.decode(part)));
    assert(stop !== "" && text.startsWith(before + stop), "characters of several tokens: choose another seed");
    const stopped = await lm.generate("in the ", { ...options, stop: [stop] });
    assert.deepEqual([stopped.text, stopped.finishReason], [text.slice(0, text.indexOf(stop)), "stop"]);
  });

  test("a conversation goes on in its session, and what is left of it is not read again", async () => {
    const session = lm.createSession();
    let text = ids(12);
    let slid = 0;
    for (let turn = 0; turn < 12; turn++) {
      const had = session.length;
      const { tokens, stats } = await session.generate(text, { ...shift, maxTokens: 3 });
      assert.deepEqual(tokens, (await lm.generate(text, { ...shift, maxTokens: 3 })).tokens, `turn ${turn}`);
      if (left(text).length > had) assert.equal(stats.cachedTokens, had, `turn ${turn}`);
      else slid++;
      text = [...text, ...tokens, 7, 9];
      assert.equal(session.length, left(text.slice(0, -3)).length);
    }
    assert(slid > 1 && slid < 11, `${slid}`);
    // It is as it is for whoever saves it.
    const restored = await lm.restoreSession(await session.save());
    assert.equal((await restored.generate([...text], { ...shift, maxTokens: 1 })).stats.cachedTokens, (await session.generate(text, { ...shift, maxTokens: 1 })).stats.cachedTokens);
  });

  test("without maxTokens it goes on until it is left", async () => {
    const generation = lm.generate(ids(3), shift);
    let seen = 0;
    for await (const _ of generation) if (++seen > 3 * CONTEXT) break;
    const { finishReason, tokens, stats } = await generation;
    assert.equal(finishReason, "aborted");
    assert(tokens.length >= seen && stats.droppedTokens > CONTEXT);
    // The model is free, and its context has an end again.
    assert.equal((await lm.generate(ids(3), ON_AND_ON)).tokens.length, CONTEXT - 2);
  });

  test("a grammar is kept to", async () => {
    const writing = await CausalLM.load(writer("llama"), { engine, contextLength: CONTEXT });
    const schema = { type: "array", minItems: 30, maxItems: 30, items: { enum: ["one", "two", 3] } };
    for (const seed of [1, 2]) {
      const { text, finishReason, stats } = await writing.generate([5, 6, 7], { temperature: 1, seed, jsonSchema: schema, contextShift: { keep: 3 }, maxTokens: 900 });
      const list = JSON.parse(text);
      assert(list.length === 30 && list.every((item) => schema.items.enum.includes(item)), text);
      assert.equal(finishReason, "end");
      assert(stats.droppedTokens > CONTEXT);
    }
    await writing.dispose();
  });

  test("what cannot be is refused by name", async () => {
    const refused = (contextShift, says) => rejection(() => lm.generate([5], { contextShift }), "invalid-argument", says);
    for (const keep of [CONTEXT - 1, CONTEXT, 1e9]) await refused({ keep }, /contextShift\.keep: \d+ of a context of 24 tokens, expected 22 at most/);
    for (const keep of [-1, 0.5, "5", NaN]) await refused({ keep }, /^contextShift\.keep should be a whole number/);
    for (const wrong of [true, 5, null, [5]]) await refused(wrong, /^contextShift should be an object/);
    await refused({}, /^contextShift should say how many tokens to keep/);
    await refused({ keep: 3, sink: 4 }, /unknown option "sink": contextShift takes keep/);
    await rejection(() => lm.generate(ids(CONTEXT + 1)), "context-full");
    const reader = await Seq2SeqLM.load(family("t5"), { engine });
    await rejection(() => reader.generate([5], { contextShift: { keep: 3 } }), "invalid-argument", /^contextShift: not supported/);
    await reader.dispose();
  });

  test("so it is with SmolLM2", async () => {
    const smol = await CausalLM.load(await readFile(SMOLLM), { engine, contextLength: 96 });
    const prompt = await smol.tokenizer.encode("Once upon a time, in a small village by the sea, there lived an old fisherman who");
    const { tokens, text } = await smol.generate([...prompt], { ...ON_AND_ON, maxTokens: 100, contextShift: { keep: 4 } });
    const whole = [...prompt, ...tokens];
    const room = { context: 96, keep: 4 };
    for (const at of [96, 97, 98, 110, whole.length - 1].map((length) => length - prompt.length)) {
      const before = left(whole.slice(0, prompt.length + at), room);
      assert.equal(tokens[at], (await smol.generate(before, { ...ON_AND_ON, maxTokens: 1 })).tokens[0], `token ${at} of ${text}`);
    }
    await smol.dispose();
  });
});

/** In the page: the same text on a device, chosen there and here, drawn, and next to each other. */
async function goOn({ device, context, keep, prompts }) {
  const { CausalLM, Engine } = await import("/dist/index.js");
  const engine = await Engine.create({ device });
  const lm = await CausalLM.load("/tiny.gguf", { engine, cache: false, contextLength: context, kvCacheType: "f32" });
  const shift = { ignoreEnd: true, maxTokens: 48, contextShift: { keep } };
  const said = async (prompt, options) => [...(await lm.generate(prompt, { ...shift, ...options })).tokens];
  const greedy = await Promise.all(prompts.map((prompt) => said(prompt, {})));
  const drawn = await said(prompts[0], { temperature: 1, seed: 5 });
  const counted = await said(prompts[0], { temperature: 1, seed: 5, logprobs: 0 });
  const session = lm.createSession();
  await session.generate(prompts[0], shift);
  const next = [...prompts[0], ...greedy[0], 9];
  const { tokens, stats } = await session.generate(next, { ...shift, maxTokens: 4 });
  const found = { greedy, drawn, counted, next: [...tokens], length: session.length, cached: stats.cachedTokens, kind: engine.device.kind };
  await engine.dispose();
  return found;
}

describe("in Chromium", () => {
  let browser, server, engine, lm;
  before(async () => {
    browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    server = await startApiServer({ isolated: true, files: { "/tiny.gguf": { bytes: tiny() } } });
    engine = await Engine.create({ threads: 1 });
    lm = await CausalLM.load(tiny(), { engine, contextLength: CONTEXT, kvCacheType: "f32" });
  });
  after(async () => {
    await engine?.dispose();
    await browser?.close();
    await server?.close();
  });

  for (const device of ["cpu", "webgpu"]) {
    test(`on ${device} texts go on as under Node`, async () => {
      const prompts = [10, 24, 61].map(ids);
      const said = async (prompt, options) => [...(await lm.generate(prompt, { ...shift, maxTokens: 48, ...options })).tokens];
      const page = await browser.newPage();
      await page.goto(server.url);
      const found = await page.evaluate(goOn, { device, context: CONTEXT, keep: KEEP, prompts });
      assert.equal(found.kind, device);
      for (const [at, prompt] of prompts.entries()) assert.deepEqual(found.greedy[at], await said(prompt), `a prompt of ${prompt.length}`);
      assert.deepEqual(found.drawn, await said(prompts[0], { temperature: 1, seed: 5 }));
      assert.deepEqual(found.counted, found.drawn, "wherever tokens are chosen");
      const next = [...prompts[0], ...found.greedy[0], 9];
      assert.deepEqual(found.next, await said(next, { maxTokens: 4 }));
      assert.equal(found.cached, left(next.slice(0, -2)).length, "what was left is not read again");
      assert.equal(found.length, left([...next, ...found.next].slice(0, -1)).length);
      await page.close();
    });
  }
});
