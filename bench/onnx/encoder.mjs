// What the ONNX graphs of encoders share: attention, feed-forward, norms and products, in float32 or in dynamic int8. Which
// operators are fastest was tried on ViT-B/16: vit/export.mjs.
//
// The int8 weights are those of `onnxruntime.quantization.quantize_dynamic`: s8, symmetric, one scale a matrix or, with
// its option per_channel, a row; its activations u8 with one scale a call, found while it runs. Convolutions and
// embeddings stay in float32.
// What it writes (DynamicQuantizeLinear, MatMulInteger, Cast, Mul, Add) the runtime fuses into DynamicQuantizeMatMul
// where it can; here that is written at once.

import { renameSync } from "node:fs";
import { join, resolve } from "node:path";
import { asFloat, FLOAT, INT64, INT8, MICROSOFT, Model } from "./model.mjs";
import { readCheckpoint } from "./safetensors.mjs";

/** The graphs that are written, by the weights they have. */
export const GRAPHS = { f32: "model.onnx", int8: "model-int8.onnx" };

/** Builds the graph; a hidden state is [rows · tokens, width]. */
export class Encoder {
  model = new Model();
  shapes = new Set();
  /** In int8 a scale for each row of a matrix, rather than one. */
  scaleEachRow = false;

  constructor(checkpoint, weights) {
    this.checkpoint = checkpoint;
    this.config = checkpoint.config;
    this.weights = weights;
  }

  /**
   * Attention of every token to all of its row.
   * @param {string} projections what the names of query, key and value begin with
   * @param {string} split the name of the shape [rows, tokens, heads, width of a head]
   * @param {string} [mask] what is added to the scores, [rows, 1, 1, tokens]
   */
  attention(block, projections, x, split, mask) {
    const { model, config: { num_attention_heads: heads, hidden_size: width } } = this;
    const project = (name, perm) => {
      const rows = this.linear(`${projections}.${name}`, x);
      const apart = model.node("Reshape", "", [rows, split], [`${rows}.heads`]);
      return model.node("Transpose", "", [apart], [`${rows}.turned`], { perm });
    };
    const [query, key, value] = [project("query", [0, 2, 1, 3]), project("key", [0, 2, 3, 1]), project("value", [0, 2, 1, 3])];
    if (!this.scale) this.scale = model.tensor("scale", FLOAT, [], Float32Array.of((width / heads) ** -0.5));
    const scores = model.node("MatMul", "", [query, key], [`${block}.scores`]);
    let scaled = model.node("Mul", "", [scores, this.scale], [`${block}.scaled`]);
    if (mask) scaled = model.node("Add", "", [scaled, mask], [`${block}.masked`]);
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
    const { columns, rows, levels, scales } = this.quantise(this.checkpoint.tensor(`${name}.weight`));
    const each = this.scaleEachRow ? [rows] : [];
    const inputs = [
      x, model.tensor(`${name}.levels`, INT8, [columns, rows], levels), model.tensor(`${name}.scale`, FLOAT, each, scales),
      model.tensor(`${name}.zero`, INT8, each, new Int8Array(scales.length)), bias,
    ];
    return model.node("DynamicQuantizeMatMul", MICROSOFT, inputs, [name]);
  }

  /** W as [columns, rows] of s8, and its scale or scales. */
  quantise({ shape: [rows, columns], data }) {
    const scales = new Float32Array(this.scaleEachRow ? rows : 1);
    const scaleOf = (i) => Math.floor((i * scales.length) / data.length);
    data.forEach((value, i) => (scales[scaleOf(i)] = Math.max(scales[scaleOf(i)], Math.abs(value) / 127)));
    const levels = new Int8Array(data.length);
    data.forEach((value, i) => (levels[(i % columns) * rows + Math.floor(i / columns)] = Math.round(value / scales[scaleOf(i)])));
    return { columns, rows, levels, scales };
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

/**
 * Writes the graph of an `Exporter` with these weights, `f32` or `int8`, into the folder.
 * @param {new (checkpoint: object, weights: string) => Encoder & { graph(): Model }} Exporter
 */
export function writeGraph(Exporter, folder, weights) {
  const checkpoint = readCheckpoint(folder);
  const to = join(folder, GRAPHS[weights]);
  // Under its own name only when it is whole: the benchmark takes what is there.
  new Exporter(checkpoint, weights).graph().write(`${to}.part`, checkpoint.config.model_type);
  checkpoint.close();
  renameSync(`${to}.part`, to);
}

/** The command line of an exporter: all graphs of one folder. */
export function writeGraphs(Exporter, usage) {
  const [folder] = process.argv.slice(2);
  if (!folder) throw new Error(usage);
  for (const weights of Object.keys(GRAPHS)) writeGraph(Exporter, resolve(folder), weights);
}
