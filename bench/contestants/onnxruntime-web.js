// ONNX Runtime Web on its WebGPU provider, in its quicker build (JSPI): the same model as bench/onnx/export.mjs writes
// it, with activations and KV cache in float32. It runs on the page's main thread, which has nothing else to do; the
// choice of the next token is made here, over the logits of one position.
//
// Not used: graph capture, which spares the CPU the encoding of each step's commands. With this graph it fails in
// 1.30.0 (a bind group lacks its buffer). On SwiftShader, where a step takes seconds, it could not be seen.

import * as ort from "../node_modules/onnxruntime-web/dist/ort.jspi.bundle.min.mjs";

const FLOAT_BYTES = 4;

/** Loads the graph that lies beside the GGUF file; the KV cache is made here, once, for the whole context. */
export async function load({ url, contextLength }) {
  const path = url.replace(/\.gguf$/, ".onnx");
  const about = await (await fetch(`${path}.json`)).json();
  const session = await ort.InferenceSession.create(path, { executionProviders: ["webgpu"], graphOptimizationLevel: "all" });
  const device = await ort.env.webgpu.device;
  const run = stepper(session, keyValueCache(device, about, contextLength));
  return {
    description: `ONNX Runtime ${ort.env.versions.web}, WebGPU, ${adapterName(device)}`,
    async prefill(prompt) {
      const tokens = encode(about.tokens, prompt);
      const start = performance.now();
      await run(tokens, 0);
      return { tokens: tokens.length, ms: performance.now() - start };
    },
    async decode(prompt, count) {
      const tokens = encode(about.tokens, prompt);
      let next = await run(tokens, 0);
      const start = performance.now();
      for (let step = 0; step < count; step++) next = await run([next], tokens.length + step);
      return { tokens: count, ms: performance.now() - start };
    },
    dispose: () => session.release(),
  };
}

/**
 * Every layer's keys and values as buffers of `length` positions. They go in as the past and come out as the present,
 * so that a step writes its own position and copies nothing.
 */
function keyValueCache(device, { layers, kvHeads, headSize }, length) {
  const dims = [1, kvHeads, length, headSize];
  const size = kvHeads * length * headSize * FLOAT_BYTES;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const past = {}, present = {};
  for (let layer = 0; layer < layers; layer++) {
    for (const kind of ["key", "value"]) {
      const buffer = device.createBuffer({ size, usage });
      const tensor = ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims });
      past[`past.${layer}.${kind}`] = tensor;
      present[`present.${layer}.${kind}`] = tensor;
    }
  }
  return { past, present };
}

/** (tokens, how many came before) → the greedy choice after them. */
function stepper(session, { past, present }) {
  const int32 = (values, dims) => new ort.Tensor("int32", Int32Array.from(values), dims);
  return async (tokens, before) => {
    const total = before + tokens.length;
    const feeds = {
      ...past,
      input_ids: int32(tokens, [1, tokens.length]),
      seqlens_k: int32([total - 1], [1]),
      total_sequence_length: int32([total], [1]),
    };
    const { logits } = await session.run(feeds, { ...present, logits: null });
    return argmax(logits.data);
  };
}

function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** The benchmark's prompts: words that are a token each, all but the first with the space before them. */
function encode(tokens, prompt) {
  return prompt.split(" ").map((word, index) => {
    const id = tokens.indexOf(index ? `\u0120${word}` : word);
    if (id < 0) throw new Error(`"${word}" is not one token of this vocabulary`);
    return id;
  });
}

function adapterName(device) {
  const { vendor, architecture, description } = device.adapterInfo ?? {};
  return [vendor, architecture, description].filter(Boolean).join(" ") || "unknown adapter";
}
