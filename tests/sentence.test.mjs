// TextEmbedder against sentence-transformers (tests/reference/sentence): poolings, prompts by themselves, by name and left
// out, lengths; and TextClassifier's scores and types of tokens. Under Node, on the CPU.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Engine, TextClassifier, TextEmbedder } from "../dist/index.js";
import { deadline } from "./support/deadline.mjs";
import { assertNear } from "./support/near.mjs";
import { rejection } from "./support/rejections.mjs";
import { tokenizerOf } from "./support/text-page.js";

deadline(5);

const read = (path) => readFileSync(new URL(path, import.meta.url));
const { texts, cases } = JSON.parse(read("reference/sentence/sentence.json"));
const CONFIG = JSON.parse(read("conformance/bert/config.json"));
const MODULES = [
  { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
  { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
];

const bert = (files = {}, config = {}) => ({
  "config.json": JSON.stringify({ ...CONFIG, ...config }),
  "model.safetensors": read("conformance/bert/model.safetensors"),
  "tokenizer.json": JSON.stringify(tokenizerOf("bert")),
  ...files,
});
const sentence = ({ pooling = { pooling_mode: "mean" }, transformer = { max_seq_length: 64 }, model = {} }) => bert({
  "modules.json": JSON.stringify(MODULES),
  "1_Pooling/config.json": JSON.stringify(pooling),
  "sentence_bert_config.json": JSON.stringify(transformer),
  "config_sentence_transformers.json": JSON.stringify(model),
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

describe("vectors are sentence-transformers'", () => {
  for (const { vectors, options, ...files } of cases) {
    test(JSON.stringify({ ...files, options }), () =>
      using(TextEmbedder, sentence(files), async (embedder) => {
        const { data, dims } = await embedder.embed(texts, { ...options, normalize: false });
        assert.deepEqual(dims, [texts.length, 48]);
        vectors.forEach((vector, row) => {
          assertNear(data.subarray(row * 48, row * 48 + vector.length), vector, `text ${row}`, 2e-5);
        });
      }));
  }
});

test("a prompt is asked for where there is one, and stands before texts alone", () =>
  using(TextEmbedder, sentence({ model: { prompts: { query: "photo of " }, default_prompt_name: "query" } }), async (embedder) => {
    await rejection(() => embedder.embed("dog", { promptName: "task" }), "invalid-argument", /"task".*document, query/);
    await rejection(() => embedder.embed([[1, 9, 2]], { prompt: "photo of " }), "invalid-argument", /token ids/);
    const [ids, last] = [await embedder.tokenizer.encode("photo of dog"), await embedder.embed("dog", { pooling: "last" })];
    // Ids are taken as they are, whatever the checkpoint has by itself.
    assertNear((await embedder.embed([ids])).data, (await embedder.embed("dog")).data, "ids", 1e-6);
    assertNear((await embedder.embed([ids], { pooling: "last" })).data, last.data, "the last token's", 1e-6);
  }));

test("a file under its early name is read", async () => {
  const vector = (files) => using(TextEmbedder, files, async (embedder) => (await embedder.embed(texts[2])).data);
  const { "sentence_bert_config.json": config, ...rest } = sentence({ transformer: { max_seq_length: 7 } });
  const roberta = (files) => ({
    ...files,
    "config.json": read("conformance/roberta/config.json"),
    "model.safetensors": read("conformance/roberta/model.safetensors"),
  });
  const [early, today] = ["sentence_roberta_config.json", "sentence_bert_config.json"].map((name) => roberta({ ...rest, [name]: config }));
  assert.deepEqual(await vector(early), await vector(today));
  assert.notDeepEqual(await vector(early), await vector(roberta(rest)));
});

describe("scores are what the checkpoint says", () => {
  const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));
  const scores = (config, files) =>
    using(TextClassifier, bert(files, config), async (classifier) => {
      const [classes] = await classifier.classify([["the dog", "runs"]]);
      const ids = [1, ...await classifier.tokenizer.encode("the dog", { addSpecial: false }), 2];
      const second = [...await classifier.tokenizer.encode("runs", { addSpecial: false }), 2];
      const tokenTypes = [...ids.map(() => 0), ...second.map(() => 1)];
      const { data } = await classifier.logits([[...ids, ...second]], { tokenTypes: [tokenTypes] });
      return { scores: classes.toSorted((a, b) => a.index - b.index).map(({ score }) => score), logits: Array.from(data) };
    });

  test("several labels are judged one by one", async () => {
    const { scores: found, logits } = await scores({ problem_type: "multi_label_classification" });
    assertNear(found, logits.map(sigmoid), "sigmoid", 1e-6);
  });

  test("a regression's are its logits", async () => {
    const { scores: found, logits } = await scores({ problem_type: "regression" });
    assertNear(found, logits, "logits", 1e-5);
  });

  test("a cross-encoder's own file says so", async () => {
    const activation = { activation_fn: "torch.nn.modules.activation.Sigmoid", model_type: "CrossEncoder" };
    const { scores: found, logits } = await scores({}, { "config_sentence_transformers.json": JSON.stringify(activation) });
    assertNear(found, logits.map(sigmoid), "sigmoid", 1e-6);
  });

  test("tokens' types count, and wrong ones are named", () =>
    using(TextClassifier, bert(), async (classifier) => {
      const [first, second] = [await classifier.logits([1, 9, 2]), await classifier.logits([1, 9, 2], { tokenTypes: [0, 0, 1] })];
      assert.notDeepEqual(first.data, second.data);
      assert.deepEqual(first.data, (await classifier.logits([1, 9, 2], { tokenTypes: [0, 0, 0] })).data);
      await rejection(() => classifier.logits([1, 9, 2], { tokenTypes: [0, 0] }), "invalid-argument", /2 types for a row of 3/);
      await rejection(() => classifier.logits([1, 9, 2], { tokenTypes: [0, 0, 2] }), "invalid-argument", /type 2/);
      await rejection(() => classifier.logits([[1], [9]], { tokenTypes: [0] }), "invalid-argument", /tokenTypes has 1 rows/);
    }));
});

test("what a checkpoint leaves open is said", async () => {
  const warnings = (files) => using(TextEmbedder, files, async ({ summary }) => summary.warnings);
  assert.match((await warnings(bert())).join(), /mean/);
  assert.deepEqual(await warnings(sentence({})), []);
});
