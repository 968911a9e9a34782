// npm run bench -- --texts [--model FOLDER] [--device cpu] [--against onnxruntime-web] [--rounds 5]
//                  [--weights f32,q8_0] [--threads 1] [--adapter swiftshader] [--json FILE]
//
// Milliseconds per text of sentence vectors by all-MiniLM-L6-v2, or by another BERT's folder, in Chromium. Every
// contestant has its own tab of one browser, and they take turns within each round.

import { fetchMiniLM } from "../scripts/fetch-minilm.mjs";
import { exportMiniLM } from "./minilm/export.mjs";
import { readCases } from "./minilm/texts.mjs";
import { configOf } from "./onnx/safetensors.mjs";
import { readOptions, run, wholeNumber } from "./turns.mjs";

/** The cosine that vectors of the same text have at least. */
const SAME = 0.999;

/** The cosine of the two vectors that agree least; theirs is a product of vectors of unit length. */
function leastCosine(outputs, first, counts) {
  const cosines = outputs.flatMap((vectors, index) => {
    const width = vectors.length / counts[index];
    const product = (row) => {
      let sum = 0;
      for (let i = row * width; i < (row + 1) * width; i++) sum += vectors[i] * first[index][i];
      return sum;
    };
    return Array.from({ length: counts[index] }, (_, row) => product(row));
  });
  return Math.min(...cosines);
}

const { model = await fetchMiniLM(), cases: wanted, ...chosen } = readOptions({ texts: { type: "boolean" }, cases: { type: "string", default: "1,2,3" } });
const cases = await readCases(model, configOf(model), wanted.split(",").map((text) => wholeNumber("cases", text)));
const nearness = {
  name: "least cosine",
  of: (outputs, first) => leastCosine(outputs, first, cases.map(({ count }) => count)),
  same: (cosine) => cosine > SAME,
  text: (cosine) => cosine.toFixed(4),
};
await run({ ...chosen, model }, { kind: "texts", unit: "text", cases, warm: cases, nearness, exportGraph: exportMiniLM });
