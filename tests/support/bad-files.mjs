// Model files that lie, each with the code that loading it must reject with. Runs in Node and in a page.

import { array, f32, i32, raw, string, u32, u64, writeGguf } from "./gguf.mjs";
import { VOCABULARY, tinyModel } from "./tiny-model.mjs";

const HUGE = 2n ** 62n;
const CORRUPT = ["corrupt-file"];
const MODEL = ["unsupported-model"];
/** A model that nothing says is impossible, but nothing here runs either. */
const EITHER = ["corrupt-file", "unsupported-model"];

/** Nothing that says so is cut off or contradicts itself: the tokenizer is just not there. */
const NO_TOKENIZER = ["corrupt-file", "missing-file"];

/** A length, and nothing behind it. */
function lengthOnly(length) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, length, true);
  return bytes;
}

/** The start of an array value: the type of its elements and how many. */
function arrayStart(element, length) {
  const bytes = new Uint8Array(12);
  new DataView(bytes.buffer).setUint32(0, element, true);
  bytes.set(lengthOnly(length), 4);
  return bytes;
}

/** Arrays of arrays of arrays …, each with one element. */
function nested(depth) {
  const bytes = new Uint8Array(12 * depth);
  for (let level = 0; level < depth; level++) bytes.set(arrayStart(9, 1n), 12 * level);
  return bytes;
}

const key = (name, value) => (model) => { model.metadata[name] = value; };
const without = (name) => (model) => { delete model.metadata[name]; };
const tensor = (name, change) => (model) => Object.assign(model.tensors.find((one) => one.name === name), change);
const whole = (change) => (model) => Object.assign(model, change);

/** Name → what is done to the right model, and the codes that are right. `says`: what the message must hold. */
export const BAD_FILES = {
  "wrong magic": { lie: whole({ magic: "GGML" }), codes: CORRUPT },
  "version 0": { lie: whole({ version: 0 }), codes: EITHER },
  "version 99": { lie: whole({ version: 99 }), codes: EITHER },
  "big-endian version": { lie: whole({ version: 0x03000000 }), codes: EITHER },
  "a huge number of tensors": { lie: whole({ tensorCount: HUGE }), codes: CORRUPT },
  "four billion tensors": { lie: whole({ tensorCount: 2n ** 32n }), codes: CORRUPT },
  "no tensors": { lie: whole({ tensorCount: 0n }), codes: CORRUPT },
  "a huge number of keys": { lie: whole({ keyCount: HUGE }), codes: CORRUPT },
  "a billion keys": { lie: whole({ keyCount: 1_000_000_000n }), codes: CORRUPT },
  "no keys": { lie: whole({ keyCount: 0n }), codes: CORRUPT },
  "a huge string": { lie: key("general.name", raw(8, lengthOnly(HUGE))), codes: CORRUPT },
  "a string of two billion bytes": { lie: key("general.name", raw(8, lengthOnly(2n ** 31n))), codes: CORRUPT },
  "a huge array": { lie: key("general.list", raw(9, arrayStart(6, HUGE))), codes: CORRUPT },
  "an array of four billion bytes": { lie: key("general.list", raw(9, arrayStart(0, 2n ** 32n))), codes: CORRUPT },
  "an array of a billion strings": { lie: key("general.list", raw(9, arrayStart(8, 1_000_000_000n))), codes: CORRUPT },
  "an array of a billion arrays": { lie: key("general.list", raw(9, arrayStart(9, 1_000_000_000n))), codes: CORRUPT },
  "arrays nested a thousand deep": { lie: key("general.list", raw(9, nested(1000))), codes: CORRUPT },
  "a key of an unknown type": { lie: key("general.name", raw(77, new Uint8Array(8))), codes: CORRUPT },
  "an array of an unknown type": { lie: key("general.list", raw(9, arrayStart(77, 4n))), codes: CORRUPT },
  "a huge tensor name": { lie: tensor("output_norm.weight", { nameLength: HUGE }), codes: CORRUPT },
  "a tensor of no dimensions": { lie: tensor("output_norm.weight", { dimensions: [] }), codes: CORRUPT },
  "a tensor of nine dimensions": { lie: tensor("output_norm.weight", { dimensions: Array(9).fill(1) }), codes: CORRUPT },
  "a tensor of four billion dimensions": { lie: tensor("output_norm.weight", { dimensionCount: 0xffffffff }), codes: CORRUPT },
  "a tensor with an empty dimension": { lie: tensor("output_norm.weight", { dimensions: [0] }), codes: CORRUPT },
  "a tensor whose size overflows": { lie: tensor("output_norm.weight", { dimensions: [2n ** 33n, 2n ** 33n] }), codes: CORRUPT },
  "a tensor of a terabyte": { lie: tensor("output_norm.weight", { dimensions: [2n ** 38n] }), codes: CORRUPT },
  "a tensor behind the end of the file": { lie: tensor("output_norm.weight", { offset: 2n ** 40n }), codes: CORRUPT },
  "a tensor whose offset wraps round": { lie: tensor("output_norm.weight", { offset: 2n ** 64n - 32n }), codes: CORRUPT },
  "a tensor at an odd offset": { lie: tensor("output_norm.weight", { offset: 33n }), codes: CORRUPT },
  "two tensors in one place": { lie: tensor("output_norm.weight", { offset: 0n }), codes: CORRUPT },
  "tensors that overlap": { lie: tensor("blk.0.attn_norm.weight", { offset: 32n }), codes: CORRUPT },
  "offsets in a circle": { lie: circle, codes: CORRUPT },
  "a tensor of an unknown type": { lie: tensor("blk.0.attn_q.weight", { typeId: 99 }), codes: ["unsupported-quantization", "corrupt-file"] },
  "a type we do not have": { lie: tensor("blk.0.attn_q.weight", { typeId: 16 }), codes: ["unsupported-quantization"], says: /IQ2_XXS/i },
  "a removed type": { lie: tensor("blk.0.attn_q.weight", { typeId: 4 }), codes: ["unsupported-quantization"] },
  "a missing tensor": { lie: drop("blk.0.ffn_up.weight"), codes: CORRUPT, says: /blk\.0\.ffn_up/ },
  "no embedding": { lie: drop("token_embd.weight"), codes: CORRUPT, says: /token_embd/ },
  "a tensor twice": { lie: twice, codes: CORRUPT, says: /output_norm/ },
  "a wrong shape": { lie: reshape("blk.0.attn_v.weight", [32, 16]), codes: CORRUPT, says: /blk\.0\.attn_v/ },
  "a vector for a matrix": { lie: reshape("blk.0.attn_v.weight", [512]), codes: CORRUPT, says: /blk\.0\.attn_v/ },
  "a row that is no whole block": { lie: reshape("blk.0.attn_q.weight", [64, 16]), codes: CORRUPT, says: /blk\.0\.attn_q/ },
  "alignment 0": { lie: key("general.alignment", u32(0)), codes: CORRUPT },
  "alignment 3": { lie: key("general.alignment", u32(3)), codes: CORRUPT, says: /general\.alignment is 3,/ },
  "a huge alignment": { lie: key("general.alignment", u32(0x80000000)), codes: CORRUPT },
  "no architecture": { lie: without("general.architecture"), codes: EITHER },
  "an architecture that is a number": { lie: key("general.architecture", u32(5)), codes: EITHER },
  "an unknown architecture": { lie: key("general.architecture", string("mamba")), codes: MODEL, says: /mamba/ },
  "no number of layers": { lie: without("llama.block_count"), codes: EITHER },
  "no layers": { lie: key("llama.block_count", u32(0)), codes: EITHER },
  "four billion layers": { lie: key("llama.block_count", u32(0xffffffff)), codes: EITHER },
  "no heads": { lie: key("llama.attention.head_count", u32(0)), codes: EITHER },
  "four billion heads": { lie: key("llama.attention.head_count", u32(0xffffffff)), codes: EITHER },
  "heads that do not divide": { lie: key("llama.attention.head_count", u32(3)), codes: EITHER },
  "no KV heads": { lie: key("llama.attention.head_count_kv", u32(0)), codes: EITHER },
  "KV heads that do not divide": { lie: key("llama.attention.head_count_kv", u32(3)), codes: EITHER },
  "no width": { lie: key("llama.embedding_length", u32(0)), codes: EITHER },
  "a huge width": { lie: key("llama.embedding_length", u64(HUGE)), codes: EITHER },
  "a width that is text": { lie: key("llama.embedding_length", string("wide")), codes: EITHER },
  "a negative width": { lie: key("llama.embedding_length", i32(-32)), codes: EITHER },
  "a feed-forward width of 0": { lie: key("llama.feed_forward_length", u32(0)), codes: EITHER },
  "no context": { lie: key("llama.context_length", u32(0)), codes: EITHER },
  "an epsilon that is no number": { lie: key("llama.attention.layer_norm_rms_epsilon", f32(NaN)), codes: EITHER },
  "rotary dimensions beyond the head": { lie: key("llama.rope.dimension_count", u32(4096)), codes: EITHER },
  "an odd number of rotary dimensions": { lie: key("llama.rope.dimension_count", u32(5)), codes: EITHER },
  "a rotary base that is no number": { lie: key("llama.rope.freq_base", f32(NaN)), codes: EITHER },
  "an unknown rotary scaling": { lie: key("llama.rope.scaling.type", string("spiral")), codes: MODEL, says: /spiral/ },
  "a shard of a thousand": { lie: shard, codes: ["corrupt-file", "missing-file", "invalid-argument"] },
  "a tokenizer of an unknown kind": { lie: key("tokenizer.ggml.model", string("abacus")), codes: MODEL, says: /abacus/ },
  "a tokenizer without merges": { lie: without("tokenizer.ggml.merges"), codes: CORRUPT, says: /merges/ },
  "merges of unknown tokens": { lie: key("tokenizer.ggml.merges", array("string", ["qq zz"])), codes: CORRUPT },
  "merges without a space": { lie: key("tokenizer.ggml.merges", array("string", ["the"])), codes: CORRUPT },
  "a tokenizer without tokens": { lie: without("tokenizer.ggml.tokens"), codes: NO_TOKENIZER, says: /tokens/ },
  "tokens that are numbers": { lie: key("tokenizer.ggml.tokens", array("u32", [1, 2, 3])), codes: NO_TOKENIZER },
  "fewer tokens than embeddings": { lie: key("tokenizer.ggml.tokens", array("string", ["a", "b"])), codes: CORRUPT },
  "an end token out of range": { lie: key("tokenizer.ggml.eos_token_id", u32(VOCABULARY + 1)), codes: CORRUPT },
};

/** The bytes of one of the files above. */
export function badFile(name) {
  const model = tinyModel();
  BAD_FILES[name].lie(model);
  return writeGguf(model).bytes;
}

/** Every tensor begins where the next one lies, the last one where the first does: all overlap their neighbours. */
function circle(model) {
  const sizes = model.tensors.map(({ data }) => Math.ceil(data.length / 32) * 32);
  const offsets = sizes.map((_, index) => sizes.slice(0, index).reduce((sum, size) => sum + size, 0));
  model.tensors.forEach((one, index) => { one.offset = offsets[(index + 1) % offsets.length]; });
}

function drop(name) {
  return (model) => { model.tensors = model.tensors.filter((one) => one.name !== name); };
}

function twice(model) {
  model.tensors.push({ ...model.tensors.at(-1) });
}

function reshape(name, shape) {
  return tensor(name, { shape });
}

function shard(model) {
  model.metadata["split.no"] = { type: "raw", id: 2, bytes: Uint8Array.of(0, 0) };
  model.metadata["split.count"] = { type: "raw", id: 2, bytes: Uint8Array.of(0xe8, 3) };
}
