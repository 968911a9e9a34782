// What the page "Your GPU" makes its models of: of each family in tests/conformance its configuration, the shapes of its
// tensors with their mean and standard deviation, what it is given, and how far its numbers may be off. The page fills
// the tensors with random numbers alike: the checkpoints themselves are 13 MB, and this 0.18 MB, compressed 29 kB.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { kindOf } from "./conformance/runner.mjs";
import { toleranceOf, unpaddedRows } from "./conformance/verdict.mjs";
import { readSafetensors } from "../tests/support/safetensors.mjs";
import { root } from "./run.mjs";

const directory = join(root, "tests", "conformance");
/** One of each kind and the common ones: where the time is short, these have been looked at. */
const FIRST = ["llama", "bert", "vit", "t5", "clip", "gpt2", "qwen3", "gemma3", "lfm2", "mixtral", "phi3", "mistral", "modernbert", "dinov2"];

/** The families as JSON, in the order in which they are compared. */
export function gpuFamilies() {
  const { families } = JSON.parse(readFileSync(join(directory, "index.json"), "utf8"));
  const names = [...FIRST, ...Object.keys(families).filter((name) => !FIRST.includes(name))];
  return JSON.stringify(names.map(describe));
}

function describe(name) {
  const read = (file) => readFileSync(join(directory, name, file));
  const config = JSON.parse(read("config.json").toString());
  const given = readSafetensors(read("case.safetensors"));
  return {
    name, config,
    kind: kindOf(directory, name),
    tolerance: toleranceOf(directory, name).outputs,
    tensors: Object.entries(readSafetensors(read("model.safetensors"))).map(([tensor, { shape, data }]) => [tensor, shape, ...moments(data)]),
    ...(given.input_ids && { rows: unpaddedRows(given) }),
    ...(given.pixel_values && { pixels: given.pixel_values.shape }),
  };
}

/** Mean and standard deviation, as exact as they need be. */
function moments(data) {
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
  const variance = data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length;
  return [mean, Math.sqrt(variance)].map((value) => Number(value.toPrecision(3)));
}
