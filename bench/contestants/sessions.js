// How both engines open an encoder: the benchmarks of images and of texts ask the same of them.

/**
 * azulejo, through its public interface. `weights`: "f32", as the file has them, or what they are quantised to at load.
 * @param {"ImageClassifier" | "TextEmbedder"} kind
 */
export async function openOurs(kind, { url, device, threads, weights }) {
  const azulejo = await import("../../dist/index.js");
  const engine = await azulejo.Engine.create({ device, threads });
  const quantize = weights === "f32" ? {} : { quantize: weights };
  const model = await azulejo[kind].load(`${url}/`, { engine, cache: false, ...quantize });
  const { description, features } = engine.device;
  return { model, description, features, dispose: () => engine.dispose() };
}

const BUILDS = { cpu: ["ort.wasm.min.mjs", "wasm"], webgpu: ["ort.jspi.bundle.min.mjs", "webgpu"] };

/**
 * ONNX Runtime Web on a graph beside the weights: its WebAssembly provider, or that of WebGPU. It runs on the page's main
 * thread, which has nothing else to do.
 */
export async function openRival({ url, device, threads, graph }) {
  const [build, provider] = BUILDS[device];
  const ort = await import(`../node_modules/onnxruntime-web/dist/${build}`);
  ort.env.wasm.numThreads = threads;
  const options = { executionProviders: [provider], graphOptimizationLevel: "all" };
  const session = await ort.InferenceSession.create(`${url}/${graph}`, options);
  return {
    ort,
    session,
    description: `ONNX Runtime ${ort.env.versions.web}, ${provider}`,
    features: [],
    dispose: () => session.release(),
  };
}
