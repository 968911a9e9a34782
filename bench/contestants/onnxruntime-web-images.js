// ONNX Runtime Web on the graphs of bench/vit/export.mjs: its WebAssembly provider on one thread, or that of WebGPU. It
// runs on the page's main thread, which has nothing else to do.

import { pixelsOf } from "../pixels.js";

const BUILDS = { cpu: ["ort.wasm.min.mjs", "wasm"], webgpu: ["ort.jspi.bundle.min.mjs", "webgpu"] };

export async function load({ url, device, threads, graph }) {
  const [build, provider] = BUILDS[device];
  const ort = await import(`../node_modules/onnxruntime-web/dist/${build}`);
  ort.env.wasm.numThreads = threads;
  const options = { executionProviders: [provider], graphOptimizationLevel: "all" };
  const session = await ort.InferenceSession.create(`${url}/${graph}`, options);
  return {
    description: `ONNX Runtime ${ort.env.versions.web}, ${provider}`,
    features: [],
    async images(size, count) {
      const pixels = new ort.Tensor("float32", pixelsOf(count, size), [count, ...size]);
      const start = performance.now();
      const { logits } = await session.run({ pixel_values: pixels });
      const ms = performance.now() - start;
      return { ms, logits: [...logits.data.subarray(0, logits.data.length / count)] };
    },
    dispose: () => session.release(),
  };
}
