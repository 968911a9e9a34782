// ONNX Runtime Web on the graphs of bench/minilm/export.mjs: rows of one length, padded and masked as transformers.js
// does it. That is done before the clock starts.

import { openRival } from "./sessions.js";

export async function load(settings) {
  const { ort, session, ...opened } = await openRival(settings);
  return {
    ...opened,
    /** The vectors of all rows, one after the other. */
    async texts(rows) {
      const longest = Math.max(...rows.map((row) => row.length));
      const ids = new BigInt64Array(rows.length * longest);
      const mask = new BigInt64Array(ids.length);
      rows.forEach((row, at) => {
        ids.set(row.map(BigInt), at * longest);
        mask.fill(1n, at * longest, at * longest + row.length);
      });
      const tensor = (data) => new ort.Tensor("int64", data, [rows.length, longest]);
      const inputs = { input_ids: tensor(ids), attention_mask: tensor(mask) };
      const start = performance.now();
      const { sentence_embedding } = await session.run(inputs);
      const ms = performance.now() - start;
      return { ms, output: [...sentence_embedding.data] };
    },
  };
}
