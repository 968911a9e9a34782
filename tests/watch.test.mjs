// A checkpoint's tokenizer is a stranger's program: every call that runs it is watched, and one that takes too long ends
// with its worker, whatever the call is for. tests/chats.test.mjs has those of chats.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { CausalLM, Engine, ImageTextMatcher, Seq2SeqLM, TextClassifier, TextEmbedder, TokenClassifier } from "../dist/index.js";
import { family, IMAGE } from "./support/calls.mjs";
import { deadline } from "./support/deadline.mjs";
import { rejection } from "./support/rejections.mjs";

deadline(5);

/** Its pattern tries every way to part a text of "a"s, for as long as it may: a second or so. */
const SLOW = {
  added_tokens: [],
  model: { type: "BPE", vocab: { a: 0, b: 1, "<unk>": 2 }, merges: [], unk_token: "<unk>" },
  pre_tokenizer: { type: "Split", pattern: { Regex: "(?:a*)*b|." }, behavior: "Isolated", invert: false },
};
const LONG = "a".repeat(100_000);
const read = (name, file) => readFileSync(`${family(name)}${file}`);

function folder(name, tokenizer = SLOW) {
  const files = { "config.json": read(name, "config.json"), "model.safetensors": read(name, "model.safetensors"), "tokenizer.json": JSON.stringify(tokenizer) };
  return name === "clip" ? { ...files, "preprocessor_config.json": "{}" } : files;
}

describe("a tokenizer that takes too long ends with its worker, and the next call has a new one", () => {
  const { setTimeout } = globalThis;
  let engine;
  before(async () => { engine = await Engine.create({ threads: 1 }); });
  after(() => engine?.dispose());
  afterEach(() => { globalThis.setTimeout = setTimeout; });

  /** The page would wait for ten seconds and more: here a moment will do. */
  function hurry() {
    const waits = [];
    globalThis.setTimeout = (work, ms, ...given) => {
      if (ms >= 5000) waits.push(ms);
      return setTimeout(work, Math.min(ms, 20), ...given);
    };
    return waits;
  }
  const ended = (call, waits) => rejection(call, "internal", new RegExp(`tokenizer has not ended after ${Math.round(waits / 1000)} seconds`));

  const calls = {
    "Tokenizer.encode": [CausalLM, "llama", (lm, text) => lm.tokenizer.encode(text)],
    "TextEmbedder.embed": [TextEmbedder, "bert", (embedder, text) => embedder.embed(["b", text])],
    "TextClassifier.classify": [TextClassifier, "bert", (classifier, text) => classifier.classify([["b", text]])],
    "TokenClassifier.classify": [TokenClassifier, "bert_tokens", (classifier, text) => classifier.classify(["b", text])],
    "Seq2SeqLM.generate": [Seq2SeqLM, "t5", (lm, text) => lm.generate(text, { maxTokens: 1 })],
    "ImageTextMatcher.classify": [ImageTextMatcher, "clip", (matcher, text) => matcher.classify(IMAGE, ["b", text])],
    "ImageTextMatcher.embedText": [ImageTextMatcher, "clip", (matcher, text) => matcher.embedText(text)],
  };
  for (const [name, [kind, of, call]] of Object.entries(calls)) {
    test(name, async () => {
      const model = await kind.load(folder(of), { engine });
      const waits = hurry();
      await ended(() => call(model, LONG), 10_000 + 2 * 98);
      globalThis.setTimeout = setTimeout;
      // Of several texts each is watched by itself.
      assert(waits.length === 1 || waits.length === 2, waits.join());
      await call(model, "b");
      await model.dispose();
    });
  }

  test("but not where page and worker have slept, and the time was over when they woke", async () => {
    const lm = await CausalLM.load(folder("llama"), { engine });
    globalThis.setTimeout = (work, ms, ...given) => setTimeout(work, ms >= 5000 ? 0 : ms, ...given);
    // Some ten milliseconds' work.
    const ids = await lm.tokenizer.encode("b".repeat(60_000));
    globalThis.setTimeout = setTimeout;
    assert.equal(ids.length, 60_000);
    await lm.dispose();
  });

  test("a load", async () => {
    // Some hundred milliseconds' work.
    const vocab = Object.fromEntries(Array.from({ length: 400_000 }, (_, id) => [`t${id}`, id]));
    const files = folder("llama", { ...SLOW, model: { ...SLOW.model, unk_token: null, vocab } });
    const waits = hurry();
    await rejection(() => CausalLM.load(files, { engine }), "internal", /tokenizer has not ended after \d\d seconds/);
    globalThis.setTimeout = setTimeout;
    assert.equal(waits.length, 1);
    const lm = await CausalLM.load(folder("llama"), { engine });
    assert.deepEqual(Array.from(await lm.tokenizer.encode("ab")), [0, 1]);
    await lm.dispose();
  });
});
