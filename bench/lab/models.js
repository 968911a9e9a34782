// Models of known shapes with random weights, made on the spot: what they say is nonsense, what they cost is not. Runs in a
// page and in Node. Of a large model no more than a few megabytes are there at a time.

import { array, f32, ggufHeader, string, u32 } from "../../tests/support/gguf.mjs";

/** Number in the file, elements and bytes a block, and how a block gets weights that spread by `deviation`. */
const TYPES = {
  F32: { id: 0, elements: 1, bytes: 4 },
  Q4_0: { id: 2, elements: 32, bytes: 18, scale: (block, deviation) => block.setUint16(0, half(deviation / 4.6), true) },
  Q4_1: { id: 3, elements: 32, bytes: 20, scale: (block, deviation) => scaleAndLeast(block, deviation / 4.6, -7.5) },
  Q8_0: { id: 8, elements: 32, bytes: 34, scale: (block, deviation) => block.setUint16(0, half(deviation / 74), true) },
  Q4_K: { id: 12, elements: 256, bytes: 144, scale: (block, deviation) => scaleAndLeast(block, deviation / 190, 7.5) },
  Q6_K: { id: 14, elements: 256, bytes: 210, scale: scaleOfSixBits },
};

/** The rows of a Q4_K_M file: some of the values' and of the last products' weights have two bits more. */
const moreBits = (layer, layers) => layer < layers >> 3 || layer >= (7 * layers) >> 3 || (layer - (layers >> 3)) % 3 === 2;
const MIXES = {
  q4_0: () => "Q4_0",
  q4_1: () => "Q4_1",
  q4_k_m: (part, layer, layers) => (/attn_v|ffn_down/.test(part) && moreBits(layer, layers) ? "Q6_K" : "Q4_K"),
};

/** What is measured by default, and what of it a device that is software can do. */
export const DECODERS = {
  "SmolLM2-135M Q4_1": {
    mix: "q4_1", layers: 30, width: 576, inner: 1536, heads: 9, keyHeads: 3, vocabulary: 49152, head: "Q8_0", tied: true, context: 8192,
  },
  "7B Q4_0": {
    mix: "q4_0", layers: 32, width: 4096, inner: 11008, heads: 32, keyHeads: 32, vocabulary: 32000, head: "Q6_K", context: 4096,
  },
  "7B Q4_K_M": {
    mix: "q4_k_m", layers: 32, width: 4096, inner: 11008, heads: 32, keyHeads: 32, vocabulary: 32000, head: "Q6_K", context: 4096,
  },
};
const SMALL = { layers: 2, width: 256, inner: 512, heads: 4, keyHeads: 2, vocabulary: 1024, context: 1024 };
export const small = (shape) => ({ ...shape, ...SMALL });

/**
 * A Llama as a GGUF file: { bytes: its length, stream(): ReadableStream<Uint8Array> }. The weights are the same at every
 * run; `context` is as many tokens as it was made for.
 */
export function decoder(shape) {
  const tensors = tensorsOf(shape);
  const header = ggufHeader({ metadata: metadataOf(shape), tensors });
  const bytes = tensors.reduce((sum, { size }) => sum + padded(size), padded(header.length));
  return { bytes, stream: () => streamOf(header, tensors) };
}

function metadataOf({ layers, width, inner, heads, keyHeads, vocabulary, context }) {
  const tokens = tokensOf(vocabulary);
  return {
    "general.architecture": string("llama"),
    "general.name": string("random"),
    "llama.block_count": u32(layers),
    "llama.context_length": u32(context),
    "llama.embedding_length": u32(width),
    "llama.feed_forward_length": u32(inner),
    "llama.attention.head_count": u32(heads),
    "llama.attention.head_count_kv": u32(keyHeads),
    "llama.attention.layer_norm_rms_epsilon": f32(1e-5),
    "llama.rope.dimension_count": u32(width / heads),
    "llama.rope.freq_base": f32(10000),
    "llama.vocab_size": u32(vocabulary),
    "tokenizer.ggml.model": string("gpt2"),
    "tokenizer.ggml.pre": string("gpt-2"),
    "tokenizer.ggml.tokens": array("string", tokens),
    "tokenizer.ggml.token_type": array("i32", tokens.map((_, id) => (id === END ? 3 : 1))),
    "tokenizer.ggml.merges": array("string", ["t h", "th e"]),
    "tokenizer.ggml.bos_token_id": u32(END),
    "tokenizer.ggml.eos_token_id": u32(END),
  };
}

const END = 0;

/** The end, the 256 bytes in GPT-2's alphabet, what two merges make, and words that no text has. */
function tokensOf(vocabulary) {
  const printable = (code) => (code >= 33 && code <= 126) || (code >= 161 && code <= 172) || (code >= 174 && code <= 255);
  let extra = 256;
  const alphabet = Array.from({ length: 256 }, (_, code) => String.fromCodePoint(printable(code) ? code : extra++));
  const some = ["<|endoftext|>", ...alphabet, "th", "the"];
  return Array.from({ length: vocabulary }, (_, id) => some[id] ?? `word${id}`);
}

function tensorsOf({ mix, layers, width, inner, heads, keyHeads, vocabulary, head, tied }) {
  const keys = (width / heads) * keyHeads;
  const tensor = (name, type, shape) => {
    const { id, elements, bytes } = TYPES[type];
    const size = (shape.reduce((product, length) => product * length, 1) / elements) * bytes;
    return { name, type, typeId: id, shape, size };
  };
  const block = (_, layer) => {
    const part = (name, rows, columns) => tensor(`blk.${layer}.${name}.weight`, MIXES[mix](name, layer, layers), [rows, columns]);
    const norm = (name) => tensor(`blk.${layer}.${name}.weight`, "F32", [width]);
    return [
      norm("attn_norm"), part("attn_q", width, width), part("attn_k", keys, width), part("attn_v", keys, width),
      part("attn_output", width, width), norm("ffn_norm"), part("ffn_gate", inner, width), part("ffn_up", inner, width),
      part("ffn_down", width, inner),
    ];
  };
  return [
    tensor("token_embd.weight", tied ? head : MIXES[mix]("token_embd", 0, layers), [vocabulary, width]),
    ...Array.from({ length: layers }, block).flat(),
    tensor("output_norm.weight", "F32", [width]),
    ...(tied ? [] : [tensor("output.weight", head, [vocabulary, width])]),
  ];
}

const ALIGNMENT = 32;
const padded = (length) => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

function streamOf(header, tensors) {
  const pieces = piecesOf(header, tensors);
  return new ReadableStream({
    pull(controller) {
      const { value, done } = pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

function* piecesOf(header, tensors) {
  yield header;
  for (const { type, shape, size } of tensors) {
    yield* repeated(poolOf(type, shape), size);
    if (padded(size) > size) yield new Uint8Array(padded(size) - size);
  }
}

/** `size` bytes of a pool, again and again. */
function* repeated(pool, size) {
  for (let left = size; left > 0; left -= pool.length) yield left < pool.length ? pool.subarray(0, left) : pool;
}

const POOL_BYTES = 2 ** 20;
const pools = new Map();

/**
 * About a megabyte of whole blocks: ones for a vector; else so spread that what a row is multiplied with keeps its size.
 */
function poolOf(type, shape) {
  if (shape.length === 1) return new Uint8Array(new Float32Array(shape[0]).fill(1).buffer);
  const key = `${type} ${shape[1]}`;
  if (!pools.has(key)) pools.set(key, blocks(type, shape[1] ** -0.5));
  return pools.get(key);
}

function blocks(type, deviation) {
  const { bytes, scale } = TYPES[type];
  const all = words(Math.floor(POOL_BYTES / bytes) * bytes);
  for (let at = 0; at < all.length; at += bytes) scale(new DataView(all.buffer, at, bytes), deviation);
  return all;
}

/** Any bytes, the same at every run. */
function words(length) {
  const all = new Uint32Array(Math.ceil(length / 4));
  let state = 0x9e3779b9;
  for (let i = 0; i < all.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    all[i] = state;
  }
  return new Uint8Array(all.buffer, 0, length);
}

/** A scale, and `least` times it. In Q4_K both are of scales of six bits, some 31 on average. */
function scaleAndLeast(block, scale, least) {
  block.setUint16(0, half(scale), true);
  block.setUint16(2, half(least * scale), true);
}

/** Sixteen scales of a byte, made so small that the scale of all is no subnormal half. */
function scaleOfSixBits(block, deviation) {
  for (let i = 192; i < 208; i++) block.setInt8(i, (block.getUint8(i) & 31) - 16);
  block.setUint16(208, half(deviation / 170), true);
}

/** The bits of a positive or negative half that is not subnormal. */
function half(value) {
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0];
  return ((bits >>> 16) & 0x8000) | ((((bits >>> 23) & 0xff) - 112) << 10) | ((bits >>> 13) & 0x3ff);
}

// ---------------------------------------------------------------- encoders

/** `sentence-transformers/all-MiniLM-L6-v2`'s, and what of it software can do. */
export const MINILM = { layers: 6, width: 384, inner: 1536, heads: 12, vocabulary: 30522, positions: 512 };
export const SMALL_MINILM = { layers: 1, width: 64, inner: 128, heads: 2, vocabulary: 512, positions: 64 };
/** `google/vit-base-patch16-224`'s, likewise. */
export const VIT_B = { layers: 12, width: 768, inner: 3072, heads: 12, image: 224, patch: 16, classes: 1000 };
export const SMALL_VIT = { layers: 1, width: 64, inner: 128, heads: 2, image: 64, patch: 16, classes: 10 };

/** A folder, for `TextEmbedder.load`: a BERT. It has no tokenizer: it takes ids. */
export function minilm({ layers, width, inner, heads, vocabulary, positions }) {
  const config = {
    architectures: ["BertModel"], model_type: "bert", hidden_act: "gelu", hidden_size: width, num_hidden_layers: layers,
    num_attention_heads: heads, intermediate_size: inner, vocab_size: vocabulary, max_position_embeddings: positions,
    type_vocab_size: 2, layer_norm_eps: 1e-12, pad_token_id: 0,
  };
  const block = (_, layer) => {
    const at = `encoder.layer.${layer}`;
    return [
      ...["query", "key", "value"].flatMap((name) => linear(`${at}.attention.self.${name}`, width, width)),
      ...linear(`${at}.attention.output.dense`, width, width), ...norm(`${at}.attention.output.LayerNorm`, width),
      ...linear(`${at}.intermediate.dense`, inner, width), ...linear(`${at}.output.dense`, width, inner),
      ...norm(`${at}.output.LayerNorm`, width),
    ];
  };
  return folder(config, [
    ["embeddings.word_embeddings.weight", [vocabulary, width]],
    ["embeddings.position_embeddings.weight", [positions, width]],
    ["embeddings.token_type_embeddings.weight", [2, width]],
    ...norm("embeddings.LayerNorm", width),
    ...Array.from({ length: layers }, block).flat(),
  ]);
}

/** A folder, for `ImageClassifier.load`: a vision transformer. It takes pixels. */
export function vit({ layers, width, inner, heads, image, patch, classes }) {
  const config = {
    architectures: ["ViTForImageClassification"], model_type: "vit", hidden_act: "gelu", qkv_bias: true, hidden_size: width,
    num_hidden_layers: layers, num_attention_heads: heads, intermediate_size: inner, image_size: image, patch_size: patch,
    num_channels: 3, layer_norm_eps: 1e-12, id2label: Object.fromEntries(Array.from({ length: classes }, (_, n) => [n, `class ${n}`])),
  };
  const block = (_, layer) => {
    const at = `vit.encoder.layer.${layer}`;
    return [
      ...norm(`${at}.layernorm_before`, width), ...norm(`${at}.layernorm_after`, width),
      ...["query", "key", "value"].flatMap((name) => linear(`${at}.attention.attention.${name}`, width, width)),
      ...linear(`${at}.attention.output.dense`, width, width),
      ...linear(`${at}.intermediate.dense`, inner, width), ...linear(`${at}.output.dense`, width, inner),
    ];
  };
  return folder(config, [
    ["vit.embeddings.cls_token", [1, 1, width]],
    ["vit.embeddings.position_embeddings", [1, (image / patch) ** 2 + 1, width]],
    ["vit.embeddings.patch_embeddings.projection.weight", [width, 3, patch, patch]],
    ["vit.embeddings.patch_embeddings.projection.bias", [width]],
    ...Array.from({ length: layers }, block).flat(),
    ...norm("vit.layernorm", width), ...linear("classifier", classes, width),
  ]);
}

const linear = (name, rows, columns) => [[`${name}.weight`, [rows, columns]], [`${name}.bias`, [rows]]];
const norm = (name, width) => [[`${name}.weight`, [width]], [`${name}.bias`, [width]]];

/** config.json and model.safetensors, all in float32: a Blob of pieces that come again, so that memory has each once. */
function folder(config, tensors) {
  const header = {};
  const pieces = [];
  let end = 0;
  for (const [name, shape] of tensors) {
    const length = shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: "F32", shape, data_offsets: [end, end + 4 * length] };
    end += 4 * length;
    const isNorm = shape.length === 1 && name.endsWith(".weight");
    const pool = isNorm ? new Uint8Array(new Float32Array(length).fill(1).buffer) : spread();
    pieces.push(...repeated(pool, 4 * length));
  }
  const text = JSON.stringify(header);
  const json = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = new BigUint64Array([BigInt(json.length)]);
  return { "config.json": JSON.stringify(config), "model.safetensors": new Blob([length, json, ...pieces]) };
}

/** Numbers that spread by 0.02, as these models begin. */
function spread() {
  const key = "spread";
  if (!pools.has(key)) {
    const numbers = new Uint32Array(words(POOL_BYTES).buffer);
    pools.set(key, new Uint8Array(Float32Array.from(numbers, (word) => (word / 2 ** 32 - 0.5) * 0.069).buffer));
  }
  return pools.get(key);
}
