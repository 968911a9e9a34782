// azulejo on images, through its public interface, by the page's clock: the way to the worker and back is counted.

import { Engine, ImageClassifier } from "../../dist/index.js";
import { pixelsOf } from "../pixels.js";

/** `weights`: "f32", as the file has them, or what they are quantised to at load. */
export async function load({ url, device, threads, weights }) {
  const engine = await Engine.create({ device, threads });
  const quantize = weights === "f32" ? {} : { quantize: weights };
  const model = await ImageClassifier.load(`${url}/`, { engine, cache: false, ...quantize });
  const { description, features } = engine.device;
  return {
    description,
    features,
    async images(size, count) {
      const pixels = { data: pixelsOf(count, size), dims: [count, ...size] };
      const start = performance.now();
      const { data } = await model.logits(pixels);
      return { ms: performance.now() - start, logits: [...data.subarray(0, data.length / count)] };
    },
    dispose: () => engine.dispose(),
  };
}
