// node bench/onnx/export.mjs FROM.gguf [TO.onnx]
//
// Writes a Llama in GGUF as the ONNX graph that ONNX Runtime's WebGPU provider is fastest with: MatMulNBits,
// GroupQueryAttention, norms fused with the residual, the head on the last position only. Beside it a .json file with
// what the contestant needs to know.
//
// This is for a comparison of speed. A tensor keeps its number of bits, but the provider has no fractional zero point:
// Q4_1 (d · q + m) is quantised a second time, to (q - 8) · scale, and 8 % of a weight's size is lost. Q8_0 stays what
// it is. Against the project's greedy reference (16 tokens after each of 6 prompts), on ONNX Runtime's CPU:
//
//   SmolLM2-135M in Q8_0   all 16 after 5 prompts; after the sixth 5, where the reference's margin is 0.005
//   SmolLM2-135M in Q4_1   12 or more, 6, 3, 1, 0 and 0 tokens: the graph is right, these 4 bits are rough
//
// What was tried: SmolLM2-135M Q4_1, ONNX Runtime Web 1.30.0, Chromium 156 on SwiftShader, 2 cores, tokens a second,
// the best of one to three runs; a tenth more or less means nothing.
//
//                                                         prefill 128   decode
//   whole zero points, head in 4 bits                             9.0     0.24
//     the same, accuracy_level 4 (dot products of bytes)          7.2     0.24
//     the same, width 640, so that more of them are taken         4.3     0.20
//   whole zero points, head in 8 bits                             9.0     0.25
//     the same, query, key and value in one product               9.1     0.22
//   no zero points, so that the provider fuses norm, gate
//   and up, and norm, query, key and value; head in 4 bits        8.8     0.24
//     the same, head in 8 bits                                    9.4     0.28   <- this
//     the same, fusions off                                       8.3     0.21

import { renameSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { readGguf } from "./gguf.mjs";
import { asFloat, FLOAT, INT32, MICROSOFT, Model, UINT8 } from "./model.mjs";
import { BLOCK, quantise } from "./quantise.mjs";

/** Sizes and constants, from the file's metadata. */
function configurationOf({ metadata }) {
  const architecture = metadata["general.architecture"];
  if (architecture !== "llama") throw new Error(`architecture ${architecture}: the exporter knows llama only`);
  const get = (key) => metadata[`llama.${key}`];
  if (get("rope.scaling.type") !== undefined) throw new Error("scaled rotary embeddings are not exported");
  const width = get("embedding_length"), heads = get("attention.head_count");
  return {
    layers: get("block_count"), width, heads, kvHeads: get("attention.head_count_kv"), headSize: width / heads,
    positions: get("context_length"), theta: get("rope.freq_base"), epsilon: get("attention.layer_norm_rms_epsilon"),
    tokens: metadata["tokenizer.ggml.tokens"],
  };
}

/** Builds the graph; a hidden state is [1, tokens, width]. */
class Exporter {
  model = new Model();

  constructor(gguf, config) {
    this.gguf = gguf;
    this.config = config;
  }

  graph() {
    const { model, config } = this;
    model.input("input_ids", INT32, [1, "tokens"]);
    model.input("seqlens_k", INT32, [1]); // positions so far with these tokens, less one
    model.input("total_sequence_length", INT32, [1]);
    model.tensor("last", INT32, [1], Int32Array.of(-1));
    this.rotations();
    const table = this.gguf.tensor("token_embd.weight");
    let residual = this.embedding(table);
    let normed = model.node("SimplifiedLayerNormalization", "", [residual, this.norm("blk.0.attn_norm")], ["first"],
      { axis: -1, epsilon: asFloat(config.epsilon), stash_type: 1 });
    for (let layer = 0; layer < config.layers; layer++) {
      const isLast = layer === config.layers - 1;
      let mixed = this.attention(`blk.${layer}`, layer, normed);
      // Only the last position goes on to the head: nothing later looks at the others.
      if (isLast) [mixed, residual] = [this.lastOf(mixed), this.lastOf(residual)];
      const attended = this.linear(`blk.${layer}.attn_output`, mixed);
      [normed, residual] = this.addAndNorm(`blk.${layer}.ffn_norm`, attended, residual);
      const fed = this.feedForward(`blk.${layer}`, normed);
      [normed, residual] = this.addAndNorm(isLast ? "output_norm" : `blk.${layer + 1}.attn_norm`, fed, residual);
    }
    this.linear("logits", normed, this.gguf.has("output.weight") ? this.gguf.tensor("output.weight") : table);
    model.output("logits", FLOAT, [1, 1, config.tokens.length]);
    return model;
  }

  /** cos and sin of every angle: [positions, headSize / 2]. */
  rotations() {
    const { headSize, positions, theta } = this.config;
    const half = headSize / 2;
    const angle = (_, i) => Math.floor(i / half) * theta ** (-(i % half) / half);
    const angles = Float64Array.from({ length: positions * half }, angle);
    this.model.tensor("cos", FLOAT, [positions, half], Float32Array.from(angles, Math.cos));
    this.model.tensor("sin", FLOAT, [positions, half], Float32Array.from(angles, Math.sin));
  }

  embedding({ shape: [rows, columns], data }) {
    const { packed, scales } = quantise({ data, bits: 8 });
    const inputs = [
      this.model.tensor("embedding", UINT8, [rows, columns], packed), "input_ids",
      this.model.tensor("embedding.scales", FLOAT, [rows, columns / BLOCK], scales),
    ];
    return this.model.node("GatherBlockQuantized", MICROSOFT, inputs, ["embedded"],
      { bits: 8, block_size: BLOCK, gather_axis: 0, quantize_axis: 1 });
  }

  norm(name) {
    const { shape, data } = this.gguf.tensor(`${name}.weight`);
    return this.model.tensor(`${name}.weight`, FLOAT, shape, data);
  }

  /** Both the norm of the sum, and the sum. */
  addAndNorm(name, branch, residual) {
    const outputs = [`${name}.normed`, "", "", `${name}.sum`];
    this.model.node("SkipSimplifiedLayerNormalization", MICROSOFT, [branch, residual, this.norm(name)], outputs,
      { epsilon: asFloat(this.config.epsilon) });
    return [outputs[0], outputs[3]];
  }

  /** x · Wᵀ */
  linear(name, x, weight = this.gguf.tensor(`${name}.weight`)) {
    const { shape: [rows, columns], bits } = weight;
    if (bits !== 4 && bits !== 8) throw new Error(`"${name}": ${bits} bits, expected Q4_1 or Q8_0`);
    const { packed, scales } = quantise(weight);
    const blocks = columns / BLOCK;
    const inputs = [
      x, this.model.tensor(`${name}.packed`, UINT8, [rows, blocks, (BLOCK * bits) / 8], packed),
      this.model.tensor(`${name}.scales`, FLOAT, [rows, blocks], scales),
    ];
    return this.model.node("MatMulNBits", MICROSOFT, inputs, [name], { K: columns, N: rows, bits, block_size: BLOCK });
  }

  attention(block, layer, x) {
    const { model, config: { heads, kvHeads, headSize } } = this;
    const rotated = (name) => this.linear(name, x, this.halves(this.gguf.tensor(`${name}.weight`)));
    const queryKeyValue = [rotated(`${block}.attn_q`), rotated(`${block}.attn_k`), this.linear(`${block}.attn_v`, x)];
    const past = [`past.${layer}.key`, `past.${layer}.value`];
    const present = [`present.${layer}.key`, `present.${layer}.value`];
    for (const name of past) model.input(name, FLOAT, [1, kvHeads, "past", headSize]);
    for (const name of present) model.output(name, FLOAT, [1, kvHeads, "present", headSize]);
    const inputs = [...queryKeyValue, ...past, "seqlens_k", "total_sequence_length", "cos", "sin"];
    return model.node("GroupQueryAttention", MICROSOFT, inputs, [`${block}.mixed`, ...present],
      { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1, rotary_interleaved: 0 });
  }

  /** GGUF has the two rows that rotate together side by side; here they lie half a head apart. */
  halves(weight) {
    const { shape: [rows, columns], data } = weight;
    const { headSize } = this.config;
    const out = new Float32Array(data.length);
    for (let row = 0; row < rows; row++) {
      const within = row % headSize;
      const [pair, second] = [within % (headSize / 2), Math.floor(within / (headSize / 2))];
      const from = row - within + 2 * pair + second;
      out.set(data.subarray(from * columns, (from + 1) * columns), row * columns);
    }
    return { ...weight, data: out };
  }

  /** down(silu(gate) · up), in the nodes that the provider knows to fuse with the norm before them. */
  feedForward(block, x) {
    const gate = this.linear(`${block}.ffn_gate`, x);
    const up = this.linear(`${block}.ffn_up`, x);
    const sigmoid = this.model.node("Sigmoid", "", [gate], [`${block}.sigmoid`]);
    const silu = this.model.node("Mul", "", [gate, sigmoid], [`${block}.silu`]);
    return this.linear(`${block}.ffn_down`, this.model.node("Mul", "", [silu, up], [`${block}.gated`]));
  }

  lastOf(x) {
    return this.model.node("Gather", "", [x, "last"], [`${x}.last`], { axis: 1 });
  }
}

/** Writes `to` and `to`.json. */
export function exportOnnx(from, to) {
  const gguf = readGguf(from);
  const config = configurationOf(gguf);
  const { layers, kvHeads, headSize, tokens } = config;
  writeFileSync(`${to}.json`, JSON.stringify({ layers, kvHeads, headSize, tokens }));
  // Under its own name only when it is whole: the benchmark takes what is there.
  new Exporter(gguf, config).graph().write(`${to}.part`, gguf.metadata["general.name"] ?? "llama");
  renameSync(`${to}.part`, to);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [from, to = from?.replace(/\.gguf$/, ".onnx")] = process.argv.slice(2);
  if (!from || from === to) throw new Error("node bench/onnx/export.mjs FROM.gguf [TO.onnx]");
  exportOnnx(resolve(from), resolve(to));
}
