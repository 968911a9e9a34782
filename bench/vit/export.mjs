// node bench/vit/export.mjs FOLDER
//
// Writes a ViT in Hugging Face's layout as the ONNX graphs that ONNX Runtime's WebAssembly provider is fastest with:
// model.onnx in float32, and model-int8.onnx, dynamic int8. Both lie beside the weights.
//
// The int8 weights are those of `onnxruntime.quantization.quantize_dynamic`: s8, symmetric, one scale a matrix; its
// activations u8 with one scale a call, found while it runs. The patches stay in float32, as it leaves convolutions.
// What it writes (DynamicQuantizeLinear, MatMulInteger, Cast, Mul, Add) the runtime fuses into DynamicQuantizeMatMul
// where it can; here that is written at once.
//
// What was tried: ViT-B/16, one image, ONNX Runtime Web 1.30.0, one thread, Chromium 156, AMD EPYC of family 26, the
// machine kept quiet; milliseconds, median of 3 to 7 rounds (quickest to slowest). A twentieth means little.
//
//   float32   Gemm on [tokens, width], attention as products and a softmax        960 (957 to 989)   <- this
//             MatMul and Add on [images, tokens, width]                          1020 (1018 to 1031)
//             the same, query, key and value in one product                       976 (one run)
//             com.microsoft's Attention and SkipLayerNormalization               1010 (one run)
//             com.microsoft's MultiHeadAttention and SkipLayerNormalization      1016 (one run)
//             Gemm and MultiHeadAttention                                         971 (one run)
//   int8      DynamicQuantizeMatMul                                               425 (408 to 465)   <- this
//             DynamicQuantizeLinear and MatMulInteger                             460 (418 to 493)
//             the same, u8 weights                                                419 (409 to 481)
//             the same, a scale for each row                                      463 (417 to 475)
//             QAttention and SkipLayerNormalization                               416 (409 to 483)
//             the same, u8 weights                                                431 (407 to 471)
//             MultiHeadAttention and SkipLayerNormalization                       457 (427 to 485)

import { renameSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { asFloat, FLOAT, INT64, INT8, MICROSOFT, Model } from "../onnx/model.mjs";
import { readCheckpoint } from "./checkpoint.mjs";

const BLOCK = "vit.encoder.layer";
/** The graphs that are written, by the weights they have. */
export const GRAPHS = { f32: "model.onnx", int8: "model-int8.onnx" };

/** Builds the graph; a hidden state is [images · tokens, width]. */
class Exporter {
  model = new Model();
  shapes = new Set();

  constructor(checkpoint, weights) {
    this.checkpoint = checkpoint;
    this.config = checkpoint.config;
    this.weights = weights;
    this.patches = (this.config.image_size / this.config.patch_size) ** 2;
  }

  graph() {
    const { model, config: { num_hidden_layers: layers } } = this;
    let residual = this.embedding();
    for (let layer = 0; layer < layers; layer++) {
      const block = `${BLOCK}.${layer}`;
      const attended = this.attention(block, this.norm(`${block}.layernorm_before`, residual));
      residual = model.node("Add", "", [attended, residual], [`${block}.middle`]);
      const fed = this.feedForward(block, this.norm(`${block}.layernorm_after`, residual));
      residual = model.node("Add", "", [fed, residual], [`${block}.sum`]);
    }
    const tokens = model.node("Reshape", "", [residual, this.shape(-1, this.patches + 1, this.config.hidden_size)], ["tokens"]);
    model.tensor("first", INT64, [], BigInt64Array.of(0n));
    const first = model.node("Gather", "", [tokens, "first"], ["class"], { axis: 1 });
    model.node("Identity", "", [this.linear("classifier", this.norm("vit.layernorm", first))], ["logits"]);
    model.output("logits", FLOAT, ["images", this.checkpoint.tensor("classifier.bias").data.length]);
    return model;
  }

  /** A convolution whose windows touch; a row of zeros becomes the class token, which its position brings along. */
  embedding() {
    const { model, config: { image_size: image, patch_size: patch, num_channels: channels, hidden_size: width } } = this;
    const name = "vit.embeddings.patch_embeddings.projection";
    model.input("pixel_values", FLOAT, ["images", channels, image, image]);
    const inputs = ["pixel_values", this.floats(`${name}.weight`), this.floats(`${name}.bias`)];
    let x = model.node("Conv", "", inputs, ["patches"], { kernel_shape: [patch, patch], strides: [patch, patch] });
    x = model.node("Reshape", "", [x, this.shape(0, width, this.patches)], ["patches.flat"]);
    x = model.node("Transpose", "", [x], ["patches.turned"], { perm: [0, 2, 1] });
    x = model.node("Pad", "", [x, this.shape(0, 1, 0, 0, 0, 0)], ["patches.padded"]);
    const positions = this.checkpoint.tensor("vit.embeddings.position_embeddings");
    this.checkpoint.tensor("vit.embeddings.cls_token").data.forEach((value, i) => (positions.data[i] += value));
    x = model.node("Add", "", [x, model.tensor("positions", FLOAT, positions.shape, positions.data)], ["embedded"]);
    return model.node("Reshape", "", [x, this.shape(-1, width)], ["embedded.rows"]);
  }

  attention(block, x) {
    const { model, config: { num_attention_heads: heads, hidden_size: width } } = this;
    const size = width / heads;
    const project = (name, perm) => {
      const rows = this.linear(`${block}.attention.attention.${name}`, x);
      const split = model.node("Reshape", "", [rows, this.shape(-1, this.patches + 1, heads, size)], [`${rows}.heads`]);
      return model.node("Transpose", "", [split], [`${rows}.turned`], { perm });
    };
    const [query, key, value] = [project("query", [0, 2, 1, 3]), project("key", [0, 2, 3, 1]), project("value", [0, 2, 1, 3])];
    if (!this.scale) this.scale = model.tensor("scale", FLOAT, [], Float32Array.of(size ** -0.5));
    const scores = model.node("MatMul", "", [query, key], [`${block}.scores`]);
    const scaled = model.node("Mul", "", [scores, this.scale], [`${block}.scaled`]);
    const weights = model.node("Softmax", "", [scaled], [`${block}.weights`], { axis: -1 });
    const mixed = model.node("MatMul", "", [weights, value], [`${block}.mixed`]);
    const turned = model.node("Transpose", "", [mixed], [`${block}.mixed.turned`], { perm: [0, 2, 1, 3] });
    const rows = model.node("Reshape", "", [turned, this.shape(-1, width)], [`${block}.mixed.rows`]);
    return this.linear(`${block}.attention.output.dense`, rows);
  }

  feedForward(block, x) {
    const inner = this.linear(`${block}.intermediate.dense`, x);
    return this.linear(`${block}.output.dense`, this.model.node("Gelu", "", [inner], [`${block}.gelu`]));
  }

  norm(name, x) {
    const inputs = [x, this.floats(`${name}.weight`), this.floats(`${name}.bias`)];
    return this.model.node("LayerNormalization", "", inputs, [`${name}.normed`], { axis: -1, epsilon: asFloat(this.config.layer_norm_eps) });
  }

  /** x · Wᵀ + b */
  linear(name, x) {
    const { model } = this;
    const bias = this.floats(`${name}.bias`);
    if (this.weights === "f32") return model.node("Gemm", "", [x, this.floats(`${name}.weight`), bias], [name], { transB: 1 });
    const { shape: [rows, columns], data } = this.checkpoint.tensor(`${name}.weight`);
    const scale = data.reduce((top, value) => Math.max(top, Math.abs(value)), 0) / 127;
    const levels = new Int8Array(data.length);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) levels[column * rows + row] = Math.round(data[row * columns + column] / scale);
    }
    const inputs = [
      x, model.tensor(`${name}.levels`, INT8, [columns, rows], levels),
      model.tensor(`${name}.scale`, FLOAT, [], Float32Array.of(scale)), model.tensor(`${name}.zero`, INT8, [], Int8Array.of(0)), bias,
    ];
    return model.node("DynamicQuantizeMatMul", MICROSOFT, inputs, [name]);
  }

  floats(name) {
    const { shape, data } = this.checkpoint.tensor(name);
    return this.model.tensor(name, FLOAT, shape, data);
  }

  /** A list of sizes as a constant, once. */
  shape(...sizes) {
    const name = `sizes.${sizes.join(".")}`;
    if (!this.shapes.has(name)) this.model.tensor(name, INT64, [sizes.length], BigInt64Array.from(sizes, BigInt));
    this.shapes.add(name);
    return name;
  }
}

/** Writes the graph with these weights, `f32` or `int8`, into the folder. */
export function exportVit(folder, weights) {
  const checkpoint = readCheckpoint(folder);
  const to = join(folder, GRAPHS[weights]);
  // Under its own name only when it is whole: the benchmark takes what is there.
  new Exporter(checkpoint, weights).graph().write(`${to}.part`, "vit");
  checkpoint.close();
  renameSync(`${to}.part`, to);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder] = process.argv.slice(2);
  if (!folder) throw new Error("node bench/vit/export.mjs FOLDER");
  for (const weights of Object.keys(GRAPHS)) exportVit(resolve(folder), weights);
}
