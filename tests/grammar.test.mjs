// Texts of a schema, a regular expression or a grammar: under Node, and in Chromium on both devices. What is written is
// validated by ajv.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { CausalLM, Engine, Seq2SeqLM } from "../dist/index.js";
import { SMOLLM } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { rejection } from "./support/rejections.mjs";
import { memoryEnds } from "./support/wasm.mjs";
import { invalidity, randomSchema, suiteSchemas } from "./support/schemas.mjs";
import { CLOSING, WRITERS, writer } from "./support/writers.mjs";

deadline(10);

/** Of each family. */
const SCHEMAS = 100;
/** A model of random weights comes to an end sooner. */
const ENDING = { logitBias: Object.fromEntries(CLOSING.map((id) => [id, 3])), temperature: 1, maxTokens: 120 };

/** What was written is of the schema, unless there was no room for the end. Whether there was. */
function assertOf(schema, { text, finishReason }, what) {
  if (finishReason === "length") return false;
  assert.equal(finishReason, "end", what);
  const why = invalidity(schema, JSON.parse(text));
  assert.equal(why, undefined, `${what}: ${text} by ${JSON.stringify(schema)}`);
  return true;
}

describe("under Node", () => {
  let engine;
  before(async () => {
    engine = await Engine.create({ threads: 1 });
  });
  after(() => engine?.dispose());

  for (const family of Object.keys(WRITERS)) {
    test(`what ${family} of random weights writes is of ${SCHEMAS} random schemas`, async (t) => {
      const lm = await CausalLM.load(writer(family), { engine });
      let ended = 0;
      for (let seed = 0; seed < SCHEMAS; seed++) {
        const schema = randomSchema(seed);
        ended += assertOf(schema, await lm.generate([5, 6, 7], { ...ENDING, jsonSchema: schema, seed }), `schema ${seed}`);
      }
      t.diagnostic(`${ended} of ${SCHEMAS} came to their end`);
      assert(ended >= 0.9 * SCHEMAS, `${ended} came to their end`);
      await lm.dispose();
    });
  }

  test("what is written by the JSON Schema Test Suite's schemas is of them, or they are refused by name", async (t) => {
    const lm = await CausalLM.load(writer("llama"), { engine });
    let [ended, open, refused] = [0, 0, 0];
    for (const { name, schema } of suiteSchemas()) {
      if (typeof schema !== "object") continue;
      for (let seed = 0; seed < 2; seed++) {
        const result = await lm.generate([5], { ...ENDING, jsonSchema: schema, seed }).catch((error) => error);
        if (result instanceof Error) {
          assert.equal(result.code, "invalid-argument", `${name}: ${result.stack}`);
          assert.match(result.message, /^jsonSchema: ./);
          refused++;
        } else if (assertOf(schema, result, name)) ended++;
        else open++;
      }
    }
    t.diagnostic(`${ended} came to their end, ${open} did not, ${refused} were refused`);
    assert(ended >= 250, `${ended} came to their end`);
    await lm.dispose();
  });

  test("patterns and grammars are kept to", async () => {
    const lm = await CausalLM.load(writer("gemma3"), { engine });
    const list = 'root ::= item+\nitem ::= "- " [a-z]{1,5} "\\n"?  | "(" item ")"';
    for (const [options, expected] of [
      [{ regex: "[0-9]{3}-[0-9]{4}" }, /^[0-9]{3}-[0-9]{4}$/],
      [{ regex: "^(yes|no) *$" }, /^(yes|no) *$/],
      [{ grammar: list, maxTokens: 40 }, /^[-a-z() \n]*$/],
      [{ grammar: { gbnf: 'root ::= "a" root "b" | "c"' } }, /^(a*)c(b*)$/],
      [{ grammar: { lark: 'start: "one" | "two" start' } }, /^(two)*one$/],
    ]) {
      for (let seed = 0; seed < 5; seed++) {
        const { text, finishReason } = await lm.generate("a", { ...ENDING, ...options, seed });
        if (finishReason === "end") assert.match(text, expected);
        if (options.grammar?.gbnf) assert.equal(text.split("a").length, text.split("b").length, text);
      }
    }
    await lm.dispose();
  });

  test("sessions, streams, log-probabilities, several at once: each writes what it writes alone", async () => {
    const lm = await CausalLM.load(writer("llama"), { engine });
    const options = { ...ENDING, jsonSchema: randomSchema(3), seed: 5 };
    const alone = await lm.generate([5, 6, 7], options);
    const together = await Promise.all([1, 2, 3].map((seed) => lm.generate([5, 6, 7], { ...options, jsonSchema: randomSchema(seed), seed })));
    for (const [at, { tokens }] of together.entries())
      assert.deepEqual(tokens, (await lm.generate([5, 6, 7], { ...options, jsonSchema: randomSchema(at + 1), seed: at + 1 })).tokens);
    // With log-probabilities each token has a pass of its own, whether or not it could have been another.
    const told = await lm.generate([5, 6, 7], { ...options, logprobs: 2 });
    assert.deepEqual(told.tokens, alone.tokens);
    const streamed = [];
    for await (const token of lm.generate([5, 6, 7], { ...options, logprobs: 2 })) streamed.push(token);
    assert.equal(streamed.map(({ text }) => text).join(""), alone.text);
    assert(streamed.every(({ logprob, alternatives }) => logprob <= 0 && alternatives.length === 2));

    const session = lm.createSession();
    assert.deepEqual((await session.generate([5, 6, 7], options)).tokens, alone.tokens);
    const next = [5, 6, 7, ...alone.tokens, 9];
    const { tokens, stats } = await session.generate(next, { ...options, seed: 6 });
    assert(stats.cachedTokens >= 3 + alone.tokens.length - 8, `${stats.cachedTokens} of ${next.length} were cached`);
    assert.deepEqual(tokens, (await lm.generate(next, { ...options, seed: 6 })).tokens);
    await session.dispose();
    await lm.dispose();
  });

  test("SmolLM2 answers by a schema in tokens as its tokenizer cuts them, greedily and drawn", async () => {
    const lm = await CausalLM.load(await readFile(SMOLLM), { engine });
    const jsonSchema = {
      type: "object",
      properties: { name: { type: "string", maxLength: 20 }, age: { type: "integer", minimum: 0, maximum: 120 }, likes: { type: "array", items: { enum: ["tea", "coffee"] }, maxItems: 2 } },
      required: ["name", "age", "likes"],
      additionalProperties: false,
    };
    const prompt = [{ role: "user", content: "Invent a person with a name, an age and what they like." }];
    for (const options of [{}, { temperature: 1, seed: 2 }]) {
      const result = await lm.generate(prompt, { jsonSchema, maxTokens: 100, ...options });
      assert(assertOf(jsonSchema, result, "SmolLM2"));
      // What has to come is cut as the tokenizer cuts it; of the rest the model decides.
      const begins = await lm.tokenizer.encode('{"name":', { addSpecial: false });
      assert.deepEqual(result.tokens.slice(0, begins.length), begins, result.text);
      assert.equal(await lm.tokenizer.decode(result.tokens), result.text);
      const slowly = await lm.generate(prompt, { jsonSchema, maxTokens: 100, logprobs: 0, ...options });
      assert.deepEqual(slowly.tokens, result.tokens);
    }
    await lm.dispose();
  });

  test("what cannot be kept is refused by its name, and the model goes on", async () => {
    const lm = await CausalLM.load(writer("llama"), { engine });
    for (const [options, says] of [
      [{ jsonSchema: { type: "object", if: {} } }, /^jsonSchema: .*"if"/],
      [{ jsonSchema: { type: "object", requierd: ["a"] } }, /^jsonSchema: .*"requierd"/],
      [{ jsonSchema: { type: "strin" } }, /^jsonSchema: .*strin/],
      [{ jsonSchema: { $ref: "https://example.org/other.json" } }, /^jsonSchema: .*example\.org/],
      [{ jsonSchema: { enum: [] } }, /^jsonSchema: ./],
      [{ jsonSchema: "{}" }, /^jsonSchema should be an object/],
      [{ jsonSchema: { default: 5n } }, /^jsonSchema\.default/],
      [{ regex: "(?=a)b" }, /^regex: .*look-ahead/s],
      [{ regex: "a{1000}{1000}" }, /^regex: .*too many/],
      [{ regex: /a/ }, /^regex should be a string/],
      [{ grammar: "root ::= b" }, /^gbnf: the rule "b" is missing/],
      [{ grammar: 'root ::= root "a"' }, /^gbnf: no text is of it/],
      [{ grammar: { lark: "start: (" } }, /^lark: ./],
      [{ grammar: { peg: "" } }, /^grammar should be a string of GBNF/],
      [{ grammar: 5 }, /^grammar should be a string of GBNF/],
      [{ regex: "a", jsonSchema: {} }, /^of jsonSchema, regex and grammar one/],
      [{ regex: "a", ignoreEnd: true }, /^ignoreEnd/],
      [{ regex: "a", logitBias: Object.fromEntries(Array.from({ length: 131 }, (_, id) => [id, -Infinity])) }, /the grammar allows/],
    ]) {
      await rejection(() => lm.generate([5], { maxTokens: 5, ...options }), "invalid-argument", says);
    }
    assert.equal((await lm.generate([5], { regex: "abc" })).text, "abc");
    await lm.dispose();

    const none = await CausalLM.load(writer("llama", null), { engine });
    await rejection(() => none.generate([5], { regex: "a" }), "missing-file", /tokenizer/);
    const spaced = JSON.stringify({ added_tokens: [], model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] } });
    const apart = await CausalLM.load(writer("llama", spaced), { engine });
    await rejection(() => apart.generate([5], { regex: "a" }), "unsupported-model", /one after the other/);
    assert.equal((await apart.generate([5], { maxTokens: 2, ignoreEnd: true })).tokens.length, 2);
    assert.equal(typeof Seq2SeqLM.load, "function");
  });

  test("an abort keeps what was made, whether or not it was begun", async () => {
    const lm = await CausalLM.load(writer("llama"), { engine });
    const jsonSchema = { type: "array", items: { type: "integer" }, minItems: 100 };
    const controller = new AbortController();
    let seen = 0;
    const generation = lm.generate([5], { jsonSchema, signal: controller.signal });
    for await (const _ of generation) if (++seen === 5) controller.abort();
    assert.equal((await generation).finishReason, "aborted");
    assert((await generation).text.startsWith("["));
    assert.equal((await lm.generate([5], { jsonSchema, signal: AbortSignal.abort() })).finishReason, "aborted");
    const early = new AbortController();
    const begun = lm.generate([5], { jsonSchema, signal: early.signal });
    early.abort();
    assert.equal((await begun).finishReason, "aborted");
    // Disposed of in its midst.
    const lost = lm.generate([5], { jsonSchema });
    await lm.dispose();
    await rejection(() => lost, "disposed");
  });
});

/** In the page: what a model writes by these schemas. */
async function write({ device, folder, schemas, options }) {
  const { CausalLM, Engine } = await import("/dist/index.js");
  const engine = await Engine.create({ device });
  const files = {};
  for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]) files[name] = await (await fetch(`${folder}/${name}`)).arrayBuffer();
  const lm = await CausalLM.load(files, { engine });
  const results = await Promise.all(schemas.map((jsonSchema, seed) => lm.generate([5, 6, 7], { ...options, jsonSchema, seed })));
  const counted = await lm.generate([5, 6, 7], { ...options, jsonSchema: schemas[0], presencePenalty: 0.5, seed: 0 });
  await engine.dispose();
  return { results: [...results, counted].map(({ text, finishReason, tokens }) => ({ text, finishReason, tokens: [...tokens] })), device: engine.device.kind };
}

describe("in Chromium", () => {
  let browser, server;
  before(async () => {
    browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    const files = {};
    for (const family of Object.keys(WRITERS))
      for (const [name, bytes] of Object.entries(writer(family))) files[`/${family}/${name}`] = { bytes: Buffer.from(bytes) };
    server = await startApiServer({ isolated: true, files });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** A page with a model, whose grammars come as `respond` has it, until that is changed. */
  async function pageWhere(respond) {
    const page = await browser.newPage();
    await page.goto(server.url);
    await page.evaluate(async () => {
      const { CausalLM, Engine } = await import("/dist/index.js");
      const files = {};
      for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]) files[name] = await (await fetch(`/llama/${name}`)).arrayBuffer();
      globalThis.lm = await CausalLM.load(files, { engine: await Engine.create({ device: "cpu" }) });
    });
    const module = "**/dist/grammar/azulejo_bg.wasm";
    await page.route(module, respond);
    const say = (regex) => page.evaluate((regex) => globalThis.lm.generate([5], { regex, maxTokens: 9 }).then(({ text }) => text, ({ code, message }) => `${code}: ${message}`), regex);
    return { say, mend: () => page.unroute(module), close: () => page.close() };
  }
  const changed = (change) => async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: change(await response.body()) });
  };

  test("a module that does not come is said to, and is asked for again", async () => {
    const { say, mend, close } = await pageWhere((route) => route.fulfill({ status: 404, body: "" }));
    assert.match(await say("abc"), /^network: .*azulejo_bg\.wasm/);
    await mend();
    assert.equal(await say("abc"), "abc");
    await close();
  });

  test("a module that has come in part is asked for again", async () => {
    const { say, mend, close } = await pageWhere(changed((body) => body.subarray(0, 1000)));
    assert.notEqual(await say("abc"), "abc");
    await mend();
    assert.equal(await say("abc"), "abc");
    await close();
  });

  test("a module of another release is refused by name, each time", async () => {
    const { say, close } = await pageWhere(changed(() => Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])));
    for (let i = 0; i < 2; i++) assert.match(await say("abc"), /^internal: .*is not of azulejo/);
    await close();
  });

  test("a grammar for which there is no memory ends no other", async () => {
    const { say, close } = await pageWhere(changed((body) => memoryEnds(body, 40)));
    assert.equal(await say("abc"), "abc");
    assert.match(await say("a{1000}{1000}"), /^out-of-memory: regex: /);
    assert.equal(await say("abc"), "abc");
    await close();
  });

  for (const device of ["cpu", "webgpu"]) {
    for (const family of ["llama", "gemma3"]) {
      test(`on ${device} ${family} writes what it writes under Node`, async () => {
        const page = await browser.newPage();
        await page.goto(server.url);
        const schemas = Array.from({ length: 8 }, (_, seed) => randomSchema(seed + 20));
        const { results, device: used } = await page.evaluate(write, { device, folder: `/${family}`, schemas, options: ENDING });
        assert.equal(used, device);
        const engine = await Engine.create({ threads: 1 });
        const lm = await CausalLM.load(writer(family), { engine });
        for (const [seed, result] of results.slice(0, schemas.length).entries()) {
          assertOf(schemas[seed], result, `schema ${seed}`);
          const { text } = await lm.generate([5, 6, 7], { ...ENDING, jsonSchema: schemas[seed], seed });
          assert.equal(result.text, text, `schema ${seed}`);
        }
        assertOf(schemas[0], results.at(-1), "with a penalty");
        await engine.dispose();
        await page.close();
      });
    }
  }
});
