// azulejo on images, by the page's clock: the way to the worker and back is counted.

import { pixelsOf } from "../pixels.js";
import { openOurs } from "./sessions.js";

export async function load(settings) {
  const { model, ...opened } = await openOurs("ImageClassifier", settings);
  return {
    ...opened,
    /** The logits of the first image. */
    async images(size, count) {
      const pixels = { data: pixelsOf(count, size), dims: [count, ...size] };
      const start = performance.now();
      const { data } = await model.logits(pixels);
      return { ms: performance.now() - start, output: [...data.subarray(0, data.length / count)] };
    },
  };
}
