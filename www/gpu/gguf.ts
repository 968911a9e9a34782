// Writes models of random weights as GGUF files, in memory. They have no tokenizer: whoever measures has token ids.

import { Random } from "./random.js";
import { bytesOf, fillWeights, formatOf } from "./weight-formats.js";

interface Tensor {
  name: string;
  /** Rows first; a GGUF file has it the other way round. */
  shape: number[];
  format: string;
  mean: number;
  spread: number;
}

type Value = ["string", string] | ["u32", number] | ["f32", number];
const TYPE = { u32: 4, f32: 6, string: 8 };
const ALIGNMENT = 32;

/** What a model of Llama's kind is made of. */
export interface LlamaShape {
  layers: number;
  width: number;
  inner: number;
  heads: number;
  kvHeads: number;
  vocabulary: number;
  context: number;
}

/** SmolLM2-135M's, the model of the chat. */
export const SMOLLM2: LlamaShape = { layers: 30, width: 576, inner: 1536, heads: 9, kvHeads: 3, vocabulary: 49152, context: 2048 };

/** A file of this shape with its matrices in `format`, and its embedding, which is its head too, in `embedding`. */
export function llamaFile(shape: LlamaShape, format: string, embedding: string, seed: number): Uint8Array<ArrayBuffer> {
  const { layers, width, inner, heads, kvHeads, vocabulary, context } = shape;
  const metadata: [string, Value][] = [
    ["general.architecture", ["string", "llama"]],
    ["llama.block_count", ["u32", layers]],
    ["llama.context_length", ["u32", context]],
    ["llama.embedding_length", ["u32", width]],
    ["llama.feed_forward_length", ["u32", inner]],
    ["llama.attention.head_count", ["u32", heads]],
    ["llama.attention.head_count_kv", ["u32", kvHeads]],
    ["llama.rope.freq_base", ["f32", 10000]],
    ["llama.attention.layer_norm_rms_epsilon", ["f32", 1e-5]],
    ["llama.vocab_size", ["u32", vocabulary]],
  ];
  // A product of a normed input then has a standard deviation of about 1, whatever the width.
  const matrix = (name: string, rows: number, columns: number, as = format): Tensor =>
    ({ name, shape: [rows, columns], format: as, mean: 0, spread: 1 / Math.sqrt(columns) });
  const norm = (name: string): Tensor => ({ name, shape: [width], format: "F32", mean: 1, spread: 0.1 });
  const kv = (width / heads) * kvHeads;
  const blocks = Array.from({ length: layers }, (_, layer) => `blk.${layer}.`).flatMap((at) => [
    norm(`${at}attn_norm.weight`),
    matrix(`${at}attn_q.weight`, width, width),
    matrix(`${at}attn_k.weight`, kv, width),
    matrix(`${at}attn_v.weight`, kv, width),
    matrix(`${at}attn_output.weight`, width, width),
    norm(`${at}ffn_norm.weight`),
    matrix(`${at}ffn_gate.weight`, inner, width),
    matrix(`${at}ffn_up.weight`, inner, width),
    matrix(`${at}ffn_down.weight`, width, inner),
  ]);
  return write(metadata, [matrix("token_embd.weight", vocabulary, width, embedding), ...blocks, norm("output_norm.weight")], seed);
}

function write(metadata: [string, Value][], tensors: Tensor[], seed: number): Uint8Array<ArrayBuffer> {
  const places: number[] = [];
  let end = 0;
  for (const { shape, format } of tensors) {
    places.push(end);
    end = aligned(end + bytesOf(format, shape.reduce((all, each) => all * each)));
  }
  const head = header(metadata, tensors, places);
  const start = aligned(head.length);
  const file = new Uint8Array(start + end);
  file.set(head);
  const random = new Random(seed);
  tensors.forEach(({ shape, format, mean, spread }, at) => {
    const from = start + places[at]!;
    const length = bytesOf(format, shape.reduce((all, each) => all * each));
    fillWeights(file.subarray(from, from + length), format, mean, spread, random);
  });
  return file;
}

const aligned = (at: number) => Math.ceil(at / ALIGNMENT) * ALIGNMENT;

function header(metadata: [string, Value][], tensors: Tensor[], places: number[]): Uint8Array {
  const bytes: number[] = [];
  const u32 = (value: number) => bytes.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
  const u64 = (value: number) => (u32(value % 2 ** 32), u32(Math.floor(value / 2 ** 32)));
  const string = (text: string) => (u64(text.length), bytes.push(...new TextEncoder().encode(text)));
  string("GGUF");
  bytes.splice(0, 8); // the magic has no length
  u32(3);
  u64(tensors.length);
  u64(metadata.length);
  for (const [key, [type, value]] of metadata) {
    string(key);
    u32(TYPE[type]);
    if (type === "string") string(value);
    else if (type === "u32") u32(value);
    else bytes.push(...new Uint8Array(new Float32Array([value]).buffer));
  }
  tensors.forEach(({ name, shape, format }, at) => {
    string(name);
    u32(shape.length);
    for (const each of [...shape].reverse()) u64(each);
    u32(formatOf(format).id);
    u64(places[at]!);
  });
  return Uint8Array.from(bytes);
}
