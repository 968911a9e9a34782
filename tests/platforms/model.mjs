// The model that every place loads, and what it says.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tiny } from "../api-models.mjs";
import { root } from "../../scripts/run.mjs";
import { pathToFileURL } from "node:url";

/** Writes tiny.gguf into a folder of its own below `folder`, and gives that. */
export function writeModel(folder) {
  const models = join(folder, "models");
  mkdirSync(models, { recursive: true });
  writeFileSync(join(models, "tiny.gguf"), tiny());
  return models;
}

/** How the model goes on where the examples ask it to, computed here. */
export async function answer() {
  const { CausalLM, Engine } = await import(pathToFileURL(join(root, "dist", "index.js")));
  const engine = await Engine.create({ device: "cpu", worker: false });
  const lm = await CausalLM.load(tiny(), { engine, contextLength: 64 });
  const { text } = await lm.generate("The capital of France is", { maxTokens: 8 });
  await engine.dispose();
  return text;
}
