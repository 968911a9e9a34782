// The texts of the benchmark, as token ids: pieces of one passage between the tokens that begin and end a text.

import { Engine, TextEmbedder } from "../../dist/index.js";
import { textWork } from "../shares.mjs";

const PASSAGE = `An azulejo is a tile of fired clay with a painted and glazed face. The word comes from Arabic and means a small
polished stone, and has nothing to do with the colour blue, although most people who see a station hall or a church in
Porto will swear that it does. Builders of the fifteenth century bought their tiles in Seville and laid them in
geometric patterns of green, white and brown. Later workshops in Lisbon painted whole stories on them: hunts, battles,
the lives of saints, ships that leave the river and come back with porcelain. After the earthquake of 1755 the city was
built again in a hurry, and walls were covered with cheap repeated patterns, because a tiled wall keeps the rain out, does
not burn, and can be washed with a wet cloth.`;

/** Sentences of 5 to 60 tokens: in steps of 37 around 56 lengths, each is met once before one comes again. */
const mixed = (count) => Array.from({ length: count }, (_, i) => 5 + ((i * 37) % 56));

/** What is measured: the lengths of the texts in one call, and how many calls make a round. */
const CASES = [
  { name: "1 text of 16 tokens", lengths: [16], calls: 20 },
  { name: "1 text of 128 tokens", lengths: [128], calls: 5 },
  { name: "64 texts of 5 to 60 tokens", lengths: mixed(64), calls: 1 },
];

/** The cases for the vocabulary of the model in `folder`: those whose numbers, from 1 on, are `wanted`. */
export async function readCases(folder, config, wanted) {
  const engine = await Engine.create({ device: "cpu", threads: 1 });
  const model = await TextEmbedder.load(folder, { engine });
  const [first, ...passage] = await model.tokenizer.encode(PASSAGE);
  await engine.dispose();
  const last = passage.pop();
  let at = 0;
  const row = (length) => [first, ...Array.from({ length: length - 2 }, () => passage[at++ % passage.length]), last];
  const cases = CASES.map(({ name, lengths, calls }) => {
    const rows = lengths.map(row);
    return { name, calls, count: rows.length, input: [rows], work: textWork(config, rows) };
  });
  const missing = wanted.find((number) => number > cases.length);
  if (missing) throw new Error(`--cases ${missing}: there are ${cases.length}`);
  return wanted.map((number) => cases[number - 1]);
}
