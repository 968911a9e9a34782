// generation_config.json, as a caller meets it: what a decoder suggests, where it ends, and how an encoder-decoder writes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { CausalLM, Engine, Seq2SeqLM } from "../dist/index.js";
import { family } from "./support/calls.mjs";
import { deadline } from "./support/deadline.mjs";
import { f32, u32, writeGguf } from "./support/gguf.mjs";
import { rejection } from "./support/rejections.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

deadline(5);

let engine;
before(async () => { engine = await Engine.create({ threads: 1 }); });
after(() => engine?.dispose());

/** A folder of tests/conformance with this generation_config.json. */
function folder(name, generation) {
  const read = (file) => readFileSync(`${family(name)}${file}`);
  const files = { "config.json": read("config.json"), "model.safetensors": read("model.safetensors") };
  return generation === undefined ? files : { ...files, "generation_config.json": JSON.stringify(generation) };
}

const PROMPT = [3, 10, 17];
const ids = async (lm, options, prompt = PROMPT) => Array.from((await lm.generate(prompt, options)).tokens);

test("a decoder's end tokens are those of generation_config.json, one or several, and of config.json", async () => {
  const plain = await CausalLM.load(folder("llama"), { engine });
  assert.deepEqual(plain.defaults, {});
  const on = await ids(plain, { maxTokens: 6, ignoreEnd: true });
  for (const ends of [on[1], [120, on[1]]]) {
    const lm = await CausalLM.load(folder("llama", { eos_token_id: ends }), { engine });
    const { tokens, finishReason } = await lm.generate(PROMPT, { maxTokens: 6 });
    assert.deepEqual([Array.from(tokens), finishReason], [on.slice(0, on.indexOf(on[1]) + 1), "end"]);
    await lm.dispose();
  }
  await plain.dispose();
});

test("what a decoder's generation_config.json suggests is told, and used where it is asked for", async () => {
  const suggested = { do_sample: true, temperature: 1.3, top_k: 7, top_p: 0.9, repetition_penalty: 1.2, max_new_tokens: 5, suppress_tokens: [9] };
  const lm = await CausalLM.load(folder("llama", suggested), { engine });
  const defaults = { maxTokens: 5, temperature: 1.3, topK: 7, topP: 0.9, repetitionPenalty: 1.2, logitBias: { 9: -Infinity } };
  assert.deepEqual(lm.defaults, defaults);
  lm.defaults.topK = 1;
  assert.deepEqual(lm.defaults, defaults, "a copy");
  const seeded = { seed: 4, ignoreEnd: true };
  const used = await ids(lm, { useDefaults: true, ...seeded });
  assert.equal(used.length, 5);
  assert.deepEqual(await ids(lm, { ...lm.defaults, ...seeded }), used);
  const own = { ...seeded, maxTokens: 3, temperature: 0 };
  assert.deepEqual(await ids(lm, { useDefaults: true, ...own }), await ids(lm, { ...lm.defaults, ...own }));
  assert.notDeepEqual(await ids(lm, { ...seeded, maxTokens: 5 }), used, "they are not used where nobody asks");
  await lm.dispose();
});

test("what a GGUF file suggests is told and used alike", async () => {
  const model = tinyModel();
  Object.assign(model.metadata, { "general.sampling.temp": f32(0.6), "general.sampling.top_k": u32(20), "general.sampling.top_p": f32(0.95) });
  const lm = await CausalLM.load(writeGguf(model).bytes, { engine });
  assert.deepEqual(lm.defaults, { temperature: 0.6, topK: 20, topP: 0.95 });
  const seeded = { seed: 4, ignoreEnd: true, maxTokens: 8 };
  assert.deepEqual(await ids(lm, { useDefaults: true, ...seeded }), await ids(lm, { ...lm.defaults, ...seeded }));
  await lm.dispose();
});

test("a suggestion that this package lacks is refused by name where it is asked for", async () => {
  const lm = await CausalLM.load(folder("llama", { do_sample: true, typical_p: 0.9 }), { engine });
  assert.equal((await ids(lm, { maxTokens: 2, ignoreEnd: true })).length, 2);
  await rejection(() => lm.generate(PROMPT, { useDefaults: true }), "unsupported-model", /typical_p/);
  await lm.dispose();
});

test("an encoder-decoder writes as its generation_config.json says, and as the caller says before that", async () => {
  const reference = new URL("reference/beams/settings.json", import.meta.url);
  const cases = JSON.parse(readFileSync(reference, "utf8")).cases.filter(({ generation }) => !Array.isArray(generation.eos_token_id));
  for (const name of ["t5", "bart", "marian"]) {
    const some = cases.filter(({ family }) => family === name).filter((_, at) => at % 9 === 4);
    for (const { generation, source, tokens } of some) {
      // config.json's own end token, which these random models never mean, is one too.
      const config = { ...JSON.parse(readFileSync(`${family(name)}config.json`, "utf8")), eos_token_id: generation.eos_token_id };
      const lm = await Seq2SeqLM.load({ ...folder(name, generation), "config.json": JSON.stringify(config) }, { engine });
      assert.deepEqual(await ids(lm, {}, source), tokens, `${name}: ${JSON.stringify(generation)}`);
      assert((await ids(lm, { maxTokens: 2, beams: 1 }, source)).length <= 2);
      await lm.dispose();
    }
  }
});

test("an encoder-decoder that asks for what this package lacks does not load", async () => {
  await rejection(() => Seq2SeqLM.load(folder("bart", { num_beam_groups: 2 }), { engine }), "unsupported-model", /num_beam_groups/);
});
