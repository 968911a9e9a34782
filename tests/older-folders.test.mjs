// Folders without tokenizer.json, from the disk: the files that the tokenizer is made of, and no others, are asked for.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CausalLM, Engine, Seq2SeqLM, TextClassifier } from "../dist/index.js";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const ROOT = fileURLToPath(new URL("..", import.meta.url));
let engine, work;
before(async () => {
  engine = await Engine.create({ device: "cpu" });
  work = mkdtempSync(join(tmpdir(), "azulejo-"));
});
after(async () => {
  await engine?.dispose();
  rmSync(work, { recursive: true, force: true });
});

/** A model of the family with the files of a folder of that name, but for those in `without`. */
function folderOf(family, name, without = []) {
  const folder = mkdtempSync(join(work, `${name}-`));
  for (const file of ["config.json", "model.safetensors"]) cpSync(join(ROOT, "tests/conformance", family, file), join(folder, file));
  const { files, cases } = JSON.parse(readFileSync(join(ROOT, "tests/reference/tokenizers/folders", `${name}.json`), "utf8"));
  for (const [file, content] of Object.entries(files)) {
    if (without.includes(file)) continue;
    writeFileSync(join(folder, file), content.base64 === undefined ? content : Buffer.from(content.base64, "base64"));
  }
  return { folder, cases };
}

for (const [kind, family, name] of [[CausalLM, "opt", "opt"], [TextClassifier, "bert", "bert"], [Seq2SeqLM, "t5", "mt5"], [Seq2SeqLM, "marian", "marian"], [CausalLM, "llama", "llama"]]) {
  test(`${name} loads without tokenizer.json, and gives transformers' ids`, async () => {
    const { folder, cases } = folderOf(family, name);
    const model = await kind.load(folder, { engine });
    for (const { texts, ids, plain } of cases.filter(({ texts }) => texts.length === 1).slice(0, 12)) {
      // A text that begins with BOS gets no second one.
      assert.deepEqual(Array.from(await model.tokenizer.encode(texts[0])), ids, texts[0]);
      assert.deepEqual(Array.from(await model.tokenizer.encode(texts[0], { addSpecial: false })), plain, texts[0]);
    }
    await model.dispose();
  });
}

test("a file that is missing beside the others is named", async () => {
  const { folder } = folderOf("opt", "opt", ["merges.txt"]);
  await assert.rejects(CausalLM.load(folder, { engine }), { code: "missing-file", message: /merges\.txt is missing/ });
});

test("without any of them the model loads, and takes ids", async () => {
  const { folder } = folderOf("opt", "opt", ["merges.txt", "vocab.json"]);
  const model = await CausalLM.load(folder, { engine });
  await assert.rejects(model.tokenizer.encode("a"), { code: "missing-file" });
  assert.equal((await model.generate([5, 6], { maxTokens: 2, ignoreEnd: true })).tokens.length, 2);
  await model.dispose();
});
