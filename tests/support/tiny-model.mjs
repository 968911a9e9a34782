// A Llama of one layer with a byte-level tokenizer, as a GGUF of some 60 kB: what tests load by the thousand.

import { TENSOR_TYPES, array, f32, string, u32 } from "./gguf.mjs";

const WIDTH = 32;
const FEED_FORWARD = 64;
const KEYS = 16;
export const CONTEXT = 64;

/** Printable stand-ins for the 256 bytes, as GPT-2's tokenizer has them. */
function byteAlphabet() {
  const printable = (code) => (code >= 33 && code <= 126) || (code >= 161 && code <= 172) || (code >= 174 && code <= 255);
  let extra = 256;
  return Array.from({ length: 256 }, (_, code) => String.fromCodePoint(printable(code) ? code : extra++));
}

const MERGES = ["t h", "th e", "i n", "Ġ the"];
const SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const TOKENS = [...SPECIAL, ...byteAlphabet(), ...MERGES.map((merge) => merge.replace(" ", ""))];
export const VOCABULARY = TOKENS.length;

const TEMPLATE = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** What `writeGguf` takes; a test changes what it is about. A new object at every call. `plain`: nothing is quantised. */
export function tinyModel({ plain = false } = {}) {
  const random = seeded(7);
  const tensor = (name, shape, quantised = "F32") => {
    const type = plain ? "F32" : quantised;
    return { name, shape, type, data: weights(random, shape, type) };
  };
  return {
    metadata: {
      "general.architecture": string("llama"),
      "general.name": string("tiny"),
      "llama.block_count": u32(1),
      "llama.context_length": u32(CONTEXT),
      "llama.embedding_length": u32(WIDTH),
      "llama.feed_forward_length": u32(FEED_FORWARD),
      "llama.attention.head_count": u32(2),
      "llama.attention.head_count_kv": u32(1),
      "llama.attention.layer_norm_rms_epsilon": f32(1e-5),
      "llama.rope.dimension_count": u32(KEYS),
      "llama.rope.freq_base": f32(10000),
      "llama.vocab_size": u32(VOCABULARY),
      "tokenizer.ggml.model": string("gpt2"),
      "tokenizer.ggml.pre": string("gpt-2"),
      "tokenizer.ggml.tokens": array("string", TOKENS),
      "tokenizer.ggml.token_type": array("i32", TOKENS.map((_, id) => (id < SPECIAL.length ? 3 : 1))),
      "tokenizer.ggml.merges": array("string", MERGES),
      "tokenizer.ggml.bos_token_id": u32(1),
      "tokenizer.ggml.eos_token_id": u32(2),
      "tokenizer.chat_template": string(TEMPLATE),
    },
    tensors: [
      tensor("token_embd.weight", [VOCABULARY, WIDTH]),
      tensor("blk.0.attn_norm.weight", [WIDTH]),
      tensor("blk.0.attn_q.weight", [WIDTH, WIDTH], "Q4_0"),
      tensor("blk.0.attn_k.weight", [KEYS, WIDTH], "Q8_0"),
      tensor("blk.0.attn_v.weight", [KEYS, WIDTH]),
      tensor("blk.0.attn_output.weight", [WIDTH, WIDTH]),
      tensor("blk.0.ffn_norm.weight", [WIDTH]),
      tensor("blk.0.ffn_gate.weight", [FEED_FORWARD, WIDTH]),
      tensor("blk.0.ffn_up.weight", [FEED_FORWARD, WIDTH], "Q8_0"),
      tensor("blk.0.ffn_down.weight", [WIDTH, FEED_FORWARD]),
      tensor("output_norm.weight", [WIDTH]),
    ],
  };
}

/** Numbers in [0, 1), the same at every run. */
export function seeded(seed) {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Weights around zero, norms around one; of a quantised type, blocks of random numbers under a scale of 1/64. */
function weights(random, shape, type) {
  const count = shape.reduce((product, size) => product * size, 1);
  if (type === "F32") {
    const centre = shape.length === 1 ? 1 : 0;
    return new Uint8Array(Float32Array.from({ length: count }, () => centre + (random() - 0.5) / 2).buffer);
  }
  const { elements, bytes } = TENSOR_TYPES[type];
  const data = Uint8Array.from({ length: (count / elements) * bytes }, () => Math.floor(random() * 256));
  for (let block = 0; block < data.length; block += bytes) data.set([0x00, 0x24], block);
  return data;
}
