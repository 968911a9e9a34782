// Several texts of SmolLM2 at once, on one thread: each is the one that is made alone.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CausalLM, Engine } from "../dist/index.js";
import { deadline } from "./support/deadline.mjs";

deadline(3);

const PROMPTS = [
  "The weather in the old town by the sea",
  "Once upon a time",
  "To make bread you need flour, water, salt and",
  "The capital of France is",
  "A triangle has three sides. A square has four. A pentagon has",
  "Dear Sir,\n\nI am writing to",
  "1, 2, 3, 4, 5,",
  "The cat sat on the mat, and the dog",
];
const options = { maxTokens: 16, ignoreEnd: true };

let engine, lm;
before(async () => {
  engine = await Engine.create({ device: "cpu", threads: 1 });
  lm = await CausalLM.load(fileURLToPath(new URL("../models/SmolLM2-135M-Instruct.Q4_1.gguf", import.meta.url)), { engine });
});
after(() => engine?.dispose());

test("eight texts at once are those that are made one after the other", async () => {
  const alone = [];
  for (const prompt of PROMPTS) alone.push(await lm.generate(prompt, options).text());
  const together = await Promise.all(PROMPTS.map((prompt) => lm.generate(prompt, options).text()));
  assert.deepEqual(together, alone);
});
