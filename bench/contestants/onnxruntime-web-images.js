// ONNX Runtime Web on the graphs of bench/vit/export.mjs.

import { pixelsOf } from "../pixels.js";
import { openRival } from "./sessions.js";

export async function load(settings) {
  const { ort, session, ...opened } = await openRival(settings);
  return {
    ...opened,
    /** The logits of the first image. */
    async images(size, count) {
      const pixels = new ort.Tensor("float32", pixelsOf(count, size), [count, ...size]);
      const start = performance.now();
      const { logits } = await session.run({ pixel_values: pixels });
      const ms = performance.now() - start;
      return { ms, output: [...logits.data.subarray(0, logits.data.length / count)] };
    },
  };
}
