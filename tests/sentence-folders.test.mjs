// Folders that sentence-transformers has saved (tests/reference/sentence/folders.py): Dense modules behind the pooling, as
// EmbeddingGemma has them; the last token's vector with prompts, as Qwen3-Embedding has it. Under Node, on the CPU.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Engine, TextEmbedder } from "../dist/index.js";
import { deadline } from "./support/deadline.mjs";
import { assertNear } from "./support/near.mjs";
import { rejection } from "./support/rejections.mjs";
import { tokenizerOf } from "./support/text-page.js";

deadline(5);

const read = (path) => readFileSync(new URL(path, import.meta.url));
const { texts, folders } = JSON.parse(read("reference/sentence/folders.json"));

/** What sentence-transformers has saved, with the body that it was saved with. */
function folder(name) {
  const of = `reference/sentence/${name}/`;
  const paths = readdirSync(fileURLToPath(new URL(of, import.meta.url)), { recursive: true }).map((path) => path.replaceAll("\\", "/"));
  return {
    "config.json": read(`conformance/${folders[name].body}/config.json`),
    "model.safetensors": read(`conformance/${folders[name].body}/model.safetensors`),
    "tokenizer.json": JSON.stringify(tokenizerOf("bert")),
    ...Object.fromEntries(paths.filter((path) => /\.\w+$/.test(path)).map((path) => [path, read(of + path)])),
  };
}

let engine;
before(async () => { engine = await Engine.create({ device: "cpu", worker: false }); });
after(() => engine?.dispose());

async function using(files, options, work) {
  const model = await TextEmbedder.load(files, { engine, ...options });
  try {
    return await work(model);
  } finally {
    await model.dispose();
  }
}

describe("vectors are sentence-transformers'", () => {
  for (const [name, { cases }] of Object.entries(folders)) {
    test(name, () =>
      using(folder(name), {}, async (embedder) => {
        for (const { options, vectors, values } of cases) {
          const { data, dims } = await embedder.embed(texts, options);
          assert.deepEqual(dims, [texts.length, values]);
          vectors.forEach((vector, row) => {
            assertNear(data.subarray(row * values, row * values + vector.length), vector, `${JSON.stringify(options)}, text ${row}`, 2e-5);
          });
          const apart = await embedder.embed([texts[1]], options);
          assertNear(apart.data.subarray(0, vectors[1].length), vectors[1], "a text alone", 2e-5);
        }
        assert.deepEqual((await embedder.embed([])).dims, [0, cases[0].values]);
      }));
  }
});

test("the body is taken of a class that has a head, as published embedders name it", async () => {
  const [name] = Object.entries(folders).find(([, { body }]) => body === "qwen3_embedding");
  const files = folder(name);
  const config = { ...JSON.parse(files["config.json"]), architectures: ["Qwen3ForCausalLM"] };
  const vectors = (files) => using(files, {}, async (embedder) => (await embedder.embed(texts)).data);
  assert.deepEqual(await vectors({ ...files, "config.json": JSON.stringify(config) }), await vectors(files));
});

test("the weights of Dense modules count, are turned into what the others are, and stand behind every pooling", async () => {
  const files = folder("dense");
  const { "modules.json": _, ...plain } = files;
  const facts = (options, files) => using(files, options, async (embedder) => ({
    summary: embedder.summary, max: (await embedder.embed(texts, { pooling: "last", normalize: false })).dims,
  }));
  const [with_, without] = [await facts({}, files), await facts({}, plain)];
  const more = 48 * 64 + 64 + 64 * 20;
  assert.equal(with_.summary.parameters, without.summary.parameters + more);
  const bytes = with_.summary.memory.weights - without.summary.memory.weights;
  assert.ok(bytes >= 4 * more && bytes < 5 * more, `${bytes} bytes`);
  const head = (summary) => summary.parts.find(({ name }) => name === "head")?.parameters ?? 0;
  assert.equal(head(with_.summary), head(without.summary) + more);
  assert.deepEqual([with_.max, without.max], [[3, 20], [3, 48]]);
  // Rows of 48 are no whole blocks of 32, those of 64 are.
  const quantized = await facts({ quantize: "q8_0" }, files);
  assert.ok(quantized.summary.memory.weights < with_.summary.memory.weights - 64 * 20 * 2);
});

test("what is wrong with a Dense module is told by its file", async () => {
  const files = folder("dense");
  const load = (changed) => TextEmbedder.load({ ...files, ...changed }, { engine });
  const config = (changed) => JSON.stringify({ ...JSON.parse(files["3_Dense/config.json"]), ...changed });
  const { "3_Dense/model.safetensors": _, ...without } = files;
  await rejection(() => TextEmbedder.load(without, { engine }), "missing-file", /3_Dense\/model\.safetensors/);
  const { "3_Dense/config.json": __, ...unsaid } = files;
  await rejection(() => TextEmbedder.load(unsaid, { engine }), "missing-file", /3_Dense\/config\.json/);
  await rejection(() => load({ "3_Dense/config.json": config({ in_features: 48 }) }), "corrupt-file", /3_Dense.*48.*64/);
  await rejection(() => load({ "3_Dense/config.json": config({ out_features: 21 }) }), "corrupt-file", /\[20, 64\].*\[21, 64\]/);
  await rejection(() => load({ "3_Dense/config.json": config({ bias: true }) }), "corrupt-file", /missing/);
  await rejection(() => load({ "2_Dense/config.json": config({ in_features: 48, out_features: 64 }) }), "unsupported-model", /linear\.bias|no place/);
  const mish = { activation_function: "torch.nn.modules.activation.Mish" };
  await rejection(() => load({ "3_Dense/config.json": config(mish) }), "unsupported-model", /Mish/);
});
