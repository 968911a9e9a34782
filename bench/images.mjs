// npm run bench -- --images [--model FOLDER] [--device cpu] [--against onnxruntime-web] [--batches 1,8] [--rounds 5]
//                  [--weights f32,q8_0] [--threads 1] [--adapter swiftshader] [--json FILE]
//
// Milliseconds per image of a vision transformer, ViT-B/16 with random weights unless another folder is named, in
// Chromium. Every contestant has its own tab of one browser, and they take turns within each round.

import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { configOf, WEIGHTS } from "./onnx/safetensors.mjs";
import { imageWork } from "./shares.mjs";
import { readOptions, run, wholeNumber } from "./turns.mjs";
import { SIZES, writeCheckpoint } from "./vit/checkpoint.mjs";
import { exportVit } from "./vit/export.mjs";

const DEFAULT = fileURLToPath(new URL("../models/vit-b16", import.meta.url));
/** What two ways to compute the same logits may differ by. */
const SAME = 1e-2;

const nearness = {
  name: "logits apart",
  of: ([logits], [first]) => Math.max(...logits.map((value, i) => Math.abs(value - first[i]))),
  same: (apart) => apart <= SAME,
  text: (apart) => apart.toPrecision(2),
};

const { batches, model = DEFAULT, ...chosen } = readOptions({ images: { type: "boolean" }, batches: { type: "string", default: "1,8" } });
const counts = batches.split(",").map((text) => wholeNumber("batches", text));
const known = SIZES[basename(model)];
if (known && !existsSync(join(model, WEIGHTS))) {
  console.log(`writing ${model}`);
  writeCheckpoint(model, known);
}
const config = configOf(model);
const size = [config.num_channels, config.image_size, config.image_size];
const caseOf = (count) => ({ name: `batch ${count}`, count, calls: 1, input: [size, count], work: imageWork(config) });
await run({ ...chosen, model }, {
  kind: "images", unit: "image", cases: counts.map(caseOf), warm: [caseOf(1), caseOf(1)], nearness, exportGraph: exportVit,
});
