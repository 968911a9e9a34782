// The options of every call, under Node: names that nobody knows, values that are none, and what is undefined.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CausalLM, Engine, ImageClassifier, ImageTextMatcher, inspect, Seq2SeqLM, TextClassifier, TextEmbedder, TokenClassifier } from "../dist/index.js";
import { meantBy } from "../dist/page/other-names.js";
import { Patches, windowsOf } from "../dist/page/images/patches.js";
import { ON_AND_ON, tiny } from "./api-models.mjs";
import { rejection } from "./support/rejections.mjs";
import { computingCalls, family, IMAGE, loadEach } from "./support/calls.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const TALK = [{ role: "user", content: "hi" }];

const models = {};
let engine, lm, session, embedder, classifier, seq2seq, clip, map;
before(async () => {
  engine = await Engine.create({ threads: 1 });
  ({ lm, embedder, classifier, seq2seq, clip } = Object.assign(models, await loadEach(engine, tiny())));
  session = lm.createSession();
  map = new Patches(IMAGE, windowsOf(IMAGE, IMAGE, IMAGE), [[]], []);
});
after(() => engine?.dispose());

/** Every call that takes options, given some. */
const CALLS = {
  "CausalLM.load": (options) => CausalLM.load(tiny(), options),
  "ImageClassifier.load": (options) => ImageClassifier.load(tiny(), options),
  "ImageTextMatcher.load": (options) => ImageTextMatcher.load(tiny(), options),
  "Seq2SeqLM.load": (options) => Seq2SeqLM.load(tiny(), options),
  "TextClassifier.load": (options) => TextClassifier.load(tiny(), options),
  "TokenClassifier.load": (options) => TokenClassifier.load(tiny(), options),
  "TextEmbedder.load": (options) => TextEmbedder.load(tiny(), options),
  inspect: (options) => inspect(tiny(), options),
  "Engine.create": (options) => Engine.create(options),
  "Engine.create's gpu": (gpu) => Engine.create({ gpu }),
  "CausalLM.generate": (options) => lm.generate("a", options),
  "Session.generate": (options) => session.generate("a", options),
  "Tokenizer.encode": (options) => lm.tokenizer.encode("a", options),
  "Tokenizer.decode": (options) => lm.tokenizer.decode([1], options),
  "Tokenizer.applyChatTemplate": (options) => lm.tokenizer.applyChatTemplate(TALK, options),
  "Seq2SeqLM.generate": (options) => seq2seq.generate([1], options),
  ...computingCalls(models),
  "PatchMap.toImageData": (options) => map.toImageData(options),
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name} refuses an option that it does not know, and options that are none`, async () => {
    await rejection(() => call({ nonsense: 1 }), "invalid-argument", /^unknown option "nonsense": /);
    for (const none of [null, 5, "options", [], true]) await rejection(() => call(none), "invalid-argument", /^(options|gpu) should be an object, not /);
  });
}

describe("the name that was meant is said", () => {
  const told = (name, call, given, meant) => test(`${name} of ${call} is ${meant}`, () =>
    rejection(() => CALLS[call]({ [name]: given }), "invalid-argument", new RegExp(`^unknown option "${name}": .* calls it ${meant}$`)));
  told("max_new_tokens", "CausalLM.generate", 3, "maxTokens");
  told("max_tokens", "CausalLM.generate", 3, "maxTokens");
  told("n_predict", "CausalLM.generate", 3, "maxTokens");
  told("n_keep", "CausalLM.generate", 4, "contextShift");
  told("max_length", "Seq2SeqLM.generate", 3, "maxTokens");
  told("maxToken", "CausalLM.generate", 3, "maxTokens");
  told("top_k", "CausalLM.generate", 3, "topK");
  told("topk", "TextClassifier.classify", 3, "topK");
  told("aggregation_strategy", "TokenClassifier.classify", "simple", "merge");
  told("top_p", "Session.generate", 0.9, "topP");
  told("min_p", "Session.generate", 0.9, "minP");
  told("do_sample", "CausalLM.generate", true, "temperature");
  told("tempreature", "CausalLM.generate", 1, "temperature");
  told("repetition_penalty", "CausalLM.generate", 1, "repetitionPenalty");
  told("repeat_penalty", "CausalLM.generate", 1, "repetitionPenalty");
  told("stop_sequences", "CausalLM.generate", ["a"], "stop");
  told("stop_strings", "CausalLM.generate", ["a"], "stop");
  told("num_beams", "Seq2SeqLM.generate", 2, "beams");
  told("dtype", "CausalLM.load", "q8", "quantize");
  told("progress_callback", "TextEmbedder.load", () => {}, "onProgress");
  told("n_ctx", "CausalLM.load", 512, "contextLength");
  told("hypothesis_template", "ImageTextMatcher.classify", "{}", "template");
  told("batch_size", "ImageClassifier.classifyPatches", 2, "batch");
  told("add_special_tokens", "Tokenizer.encode", true, "addSpecial");
  told("skip_special_tokens", "Tokenizer.decode", true, "skipSpecial");
  told("continue_final_message", "CausalLM.generate", true, "continueFinalMessage");
  told("add_generation_prompt", "Tokenizer.applyChatTemplate", true, "addGenerationPrompt");
  told("num_threads", "Engine.create", 2, "threads");
  told("basic_limits", "Engine.create's gpu", true, "basicLimits");
});

test("what another call takes, or stands elsewhere, is said", async () => {
  await rejection(() => CALLS["CausalLM.generate"]({ device: "cpu" }), "invalid-argument", /load and Engine\.create take device/);
  await rejection(() => CALLS["CausalLM.generate"]({ system: "be kind" }), "invalid-argument", /role "system"/);
  await rejection(() => CALLS["CausalLM.load"]({ revision: "main" }), "invalid-argument", /hf:org\/name@revision/);
  await rejection(() => CALLS["ImageClassifier.load"]({ contextLength: 5 }), "invalid-argument", /CausalLM\.load takes contextLength/);
  await rejection(() => CALLS["TextEmbedder.hidden"]({ frobnicate: 1 }), "invalid-argument", /: hidden takes signal$/);
});

test("what this version lacks is refused by its name", async () => {
  const later = {
    "Seq2SeqLM.generate": ["draft", "contextShift"],
  };
  for (const [call, names] of Object.entries(later)) {
    for (const name of names) await rejection(() => CALLS[call]({ [name]: {} }), "invalid-argument", new RegExp(`^${name}: not supported yet$`));
  }
  await rejection(() => CALLS["CausalLM.generate"]({ prompt_lookup_num_tokens: 5 }), "invalid-argument", /calls it draft$/);
  await rejection(() => CALLS["CausalLM.generate"]({ guided_json: {} }), "invalid-argument", /calls it jsonSchema$/);
});

test("what is undefined is as if it were absent, known or not", async () => {
  const nothing = { maxTokens: 2, temperature: undefined, signal: undefined, max_tokens: undefined, ...ON_AND_ON };
  assert.equal((await lm.generate("a", nothing)).tokens.length, 2);
  assert.equal((await lm.logits([1], undefined)).dims[1], 1);
  assert.equal((await lm.logits([1], { last: undefined })).dims[1], 1);
});

test("values are checked by the option's name", async () => {
  const wrong = [
    ["CausalLM.load", { credentials: "sometimes" }, /^credentials should be "omit", "same-origin" or "include", not "sometimes"$/],
    ["CausalLM.load", { device: "gpu" }, /^device should be "auto", "webgpu" or "cpu"/],
    ["CausalLM.load", { revalidate: -1 }, /^revalidate/],
    ["CausalLM.load", { revalidate: "often" }, /^revalidate/],
    ["CausalLM.load", { retries: 0.5 }, /^retries/],
    ["CausalLM.load", { cacheKey: "" }, /^cacheKey is empty/],
    ["CausalLM.load", { token: "a b" }, /^token should be(?!.*a b)/],
    ["CausalLM.load", { endpoint: "example" }, /^endpoint should be the address of a hub/],
    ["CausalLM.load", { endpoint: "ftp://a.example" }, /^endpoint/],
    ["CausalLM.load", { file: 1 }, /^file should be a string/],
    ["CausalLM.load", { file: "a.gguf", quant: "Q8_0" }, /^file and quant/],
    ["CausalLM.load", { file: "a.gguf" }, /^file says which of several/],
    ["inspect", { quant: "Q8_0" }, /^quant says which of several/],
    ["CausalLM.load", { fetch: 1 }, /^fetch should be a function/],
    ["CausalLM.load", { headers: { "a b": "c" } }, /^headers/],
    ["CausalLM.load", { headers: new Headers() }, /^headers.*Object\.fromEntries/],
    ["CausalLM.load", { engine: {} }, /^engine should come from Engine\.create/],
    ["CausalLM.load", { quantize: "q2" }, /^quantize/],
    ["CausalLM.load", { kvCacheType: "q2" }, /^kvCacheType/],
    ["CausalLM.load", { contextLength: 0 }, /^contextLength/],
    ["CausalLM.load", { integrity: { a: "b" } }, /^integrity\["a"\]/],
    ["CausalLM.load", { signal: 1 }, /^signal/],
    ["inspect", { batch: 0 }, /^batch/],
    ["Engine.create", { assets: 5 }, /^assets should be a URL/],
    ["Engine.create's gpu", { without: 5 }, /^gpu\.without should be an array/],
    ["Engine.create's gpu", { profile: 1 }, /^gpu\.profile/],
    ["CausalLM.logits", { last: 1 }, /^last/],
    ["CausalLM.attentionMaps", { layer: -1 }, /^layer/],
    ["CausalLM.attentionMaps", { signal: 1 }, /^signal/],
    ["CausalLM.generate", { stop: Array(1) }, /^stop\[0\] should be a string/],
    ["ImageClassifier.attention", { head: "all" }, /^head/],
    ["ImageClassifier.classifyPatches", { onProgress: 1 }, /^onProgress/],
    ["PatchMap.toImageData", { label: 1 }, /^label should be a string/],
  ];
  for (const [call, options, says] of wrong) await rejection(() => CALLS[call](options), "invalid-argument", says);
});

test("numbers above 2³² are as large as they are, or refused by name", async () => {
  const most = [2 ** 32, 2 ** 32 + 1, 2 ** 40 + 2, Number.MAX_SAFE_INTEGER];
  const ids = async (options) => Array.from((await lm.generate([5, 6, 7], { maxTokens: 5, ...ON_AND_ON, ...options })).tokens);
  const drawn = { temperature: 1, seed: 3 };
  const [whole, draws] = [await ids({ maxTokens: undefined }), await ids(drawn)];
  assert(whole.length > 5);
  for (const number of most) {
    assert.deepEqual(await ids({ maxTokens: number }), whole, `maxTokens ${number}`);
    assert.deepEqual(await ids({ ...drawn, topK: number }), draws, `topK ${number}`);
    assert.deepEqual(await ids({ noRepeatNgram: number }), await ids({}), `noRepeatNgram ${number}`);
    assert.equal((await lm.generate([5, 6, 7], { maxTokens: 5, minTokens: number })).tokens.length, 5);
    assert.notDeepEqual(await ids({ ...drawn, seed: number }), await ids({ ...drawn, seed: number % 2 ** 32 }), `seed ${number}`);
    for (const [call, option] of [
      ["CausalLM.generate", "logprobs"], ["CausalLM.attentionMaps", "layer"], ["CausalLM.load", "contextLength"],
      ["inspect", "contextLength"], ["inspect", "batch"], ["TextEmbedder.attentionMaps", "layer"],
      ["TextClassifier.classify", "topK"], ["ImageClassifier.classify", "topK"], ["ImageClassifier.attention", "layer"],
      ["ImageClassifier.attention", "head"], ["Seq2SeqLM.generate", "beams"],
    ]) await rejection(() => CALLS[call]({ [option]: number }), "invalid-argument", new RegExp(option));
  }
});

test("numbers that are odd are refused by the option's name", async () => {
  const counts = {
    "CausalLM.generate": ["maxTokens", "topK", "seed", "logprobs", "minTokens", "noRepeatNgram"],
    "Seq2SeqLM.generate": ["maxTokens", "beams", "minTokens"],
    "CausalLM.attentionMaps": ["layer"], "CausalLM.load": ["contextLength", "retries"], inspect: ["batch", "contextLength"],
    "TextClassifier.classify": ["topK"], "ImageClassifier.classify": ["topK"], "ImageClassifier.attention": ["layer", "head"],
    "ImageClassifier.classifyPatches": ["size", "stride", "batch", "topK"], "Engine.create": ["threads"],
  };
  const numbers = {
    "CausalLM.generate": ["temperature", "topP", "minP", "repetitionPenalty", "presencePenalty", "frequencyPenalty"],
    "Seq2SeqLM.generate": ["lengthPenalty"],
  };
  const refused = (call, names, values) => Promise.all(names.flatMap((name) => values.map((value) =>
    rejection(() => CALLS[call]({ [name]: value }), "invalid-argument", new RegExp(`^${name}`)))));
  for (const [call, names] of Object.entries(counts)) await refused(call, names, [-1, 0.5, NaN, Infinity, 2 ** 53, "1", 1n, null]);
  for (const [call, names] of Object.entries(numbers)) await refused(call, names, [NaN, Infinity, -Infinity, "1", 1n, null, 1e300]);
});

test("lengths that nothing has are refused before there is room made for them", async () => {
  const endless = { length: 2 ** 40 };
  for (const call of [
    () => lm.generate(endless), () => session.generate(endless), () => lm.logits(endless), () => lm.attentionMaps(endless),
    () => lm.tokenizer.decode(endless), () => embedder.embed([endless]), () => embedder.hidden([endless]), () => embedder.embed(Array(2 ** 31)),
    () => classifier.classify(Array(2 ** 31)), () => lm.tokenizer.applyChatTemplate(Array(2 ** 31)), () => clip.classify(IMAGE, Array(2 ** 31)),
  ]) await rejection(call, "invalid-argument", /entries; \d+ are the most$/);
});

test("a device may stand in load: models without an engine share one for each", async () => {
  await rejection(() => CausalLM.load(tiny(), { engine, device: "cpu" }), "invalid-argument", /^device: load was given an engine/);
  const [one, two, any] = await Promise.all([
    CausalLM.load(tiny(), { device: "cpu" }), TextEmbedder.load(family("bert"), { device: "cpu" }), CausalLM.load(tiny()),
  ]);
  assert.equal(one.engine, two.engine);
  assert.notEqual(one.engine, any.engine);
  assert.equal(one.engine.device.kind, "cpu");
  assert.equal((await inspect(tiny(), { device: "cpu" })).fits, true);
  await Promise.all([one.engine.dispose(), any.engine.dispose()]);
  const again = await CausalLM.load(tiny(), { device: "cpu" });
  assert.notEqual(again.engine, one.engine);
  await again.engine.dispose();
});

test("names are compared by their letters", () => {
  const names = ["maxTokens", "topK", "stop"];
  assert.deepEqual(meantBy("MAX-TOKENS", names), { name: "maxTokens" });
  assert.deepEqual(meantBy("otpK", names), { name: "topK" });
  assert.deepEqual(meantBy("stops", names), { name: "stop" });
  assert.equal(meantBy("colour", names), undefined);
});
