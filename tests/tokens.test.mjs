// TokenClassifier against transformers' pipeline (tests/reference/spans): spans of ugly texts, merged and token by token,
// also of a text that is longer than the model takes. Under Node, on the CPU.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Engine, TextClassifier, TextEmbedder, TokenClassifier } from "../dist/index.js";
import { deadline } from "./support/deadline.mjs";
import { assertNear } from "./support/near.mjs";
import { rejection } from "./support/rejections.mjs";

deadline(5);

const read = (path) => readFileSync(new URL(path, import.meta.url));
const spans = JSON.parse(read("reference/spans/spans.json"));
const TOKENIZERS = { bert: "bert_uncased", roberta: "roberta", xlm_roberta: "xlm_roberta" };

const folder = (family, config = {}) => ({
  "config.json": JSON.stringify({ ...JSON.parse(read(`reference/spans/${family}/config.json`)), ...config }),
  "model.safetensors": read(`reference/spans/${family}/model.safetensors`),
  "tokenizer.json": JSON.stringify(JSON.parse(read(`reference/tokenizers/${TOKENIZERS[family]}.json`)).tokenizer),
});

let engine;
before(async () => { engine = await Engine.create({ device: "cpu", worker: false }); });
after(() => engine?.dispose());

async function using(kind, files, work) {
  const model = await kind.load(files, { engine });
  try {
    return await work(model);
  } finally {
    await model.dispose();
  }
}

function assertSpans(found, expected, text) {
  assert.deepEqual(found.map(({ label, start, end }) => [label, start, end]), expected.map(([label, , start, end]) => [label, start, end]), text);
  assertNear(found.map(({ score }) => score), expected.map(([, score]) => score), text, 1e-4);
  for (const span of found) assert.equal(span.text, text.slice(span.start, span.end));
}

describe("spans are those of transformers' pipeline", () => {
  for (const [family, cases] of Object.entries(spans)) {
    test(family, () =>
      using(TokenClassifier, folder(family), async (classifier) => {
        assert.deepEqual(classifier.labels, ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]);
        assert.equal(classifier.summary.task, "token-classification");
        const texts = cases.map(({ text }) => text);
        const merged = await classifier.classify(texts);
        const single = await classifier.classify(texts, { merge: false });
        cases.forEach(({ text, simple, none }, at) => {
          assertSpans(merged[at], simple, text);
          assertSpans(single[at], none, text);
        });
      }));
  }
});

test("one text alone has its spans, and a text without any has none", () =>
  using(TokenClassifier, folder("bert"), async (classifier) => {
    const [{ text, simple }] = spans.bert;
    assertSpans(await classifier.classify(text), simple, text);
    assert.deepEqual(await classifier.classify(["", " "]), [[], []]);
    assert.deepEqual(await classifier.classify([]), []);
  }));

test("logits are of every token, and zero behind a row", () =>
  using(TokenClassifier, folder("bert"), async (classifier) => {
    const rows = [await classifier.tokenizer.encode("The tiles"), await classifier.tokenizer.encode("of an azulejo wall")];
    const { data, dims } = await classifier.logits(rows);
    const longest = Math.max(...rows.map(({ length }) => length));
    assert.deepEqual(dims, [2, longest, 5]);
    const short = rows.findIndex(({ length }) => length < longest);
    const padding = data.subarray((short * longest + rows[short].length) * 5, (short + 1) * longest * 5);
    assert.ok(padding.length > 0 && padding.every((value) => value === 0));
    const alone = await classifier.logits(rows[0]);
    assertNear(data.subarray(0, alone.data.length), alone.data, "alone", 1e-5);
  }));

test("a classifier of tokens is none of texts; its encoder makes vectors", async () => {
  const files = folder("bert");
  await rejection(() => TextClassifier.load(files, { engine }), "invalid-argument", /load it with TokenClassifier/);
  await using(TextEmbedder, files, async (embedder) => {
    assert.deepEqual((await embedder.embed("wall")).dims, [1, 16]);
  });
  const { "tokenizer.json": _, ...bare } = files;
  await using(TokenClassifier, bare, async (classifier) => {
    await rejection(() => classifier.classify(["wall"]), "missing-file", /tokenizer/);
    await rejection(() => classifier.classify([["wall"]]), "invalid-argument", /texts\[0\]/);
    await rejection(() => classifier.classify(["wall"], { topK: 2 }), "invalid-argument", /topK/);
    assert.deepEqual((await classifier.logits([2, 3])).dims, [1, 2, 5]);
  });
});
