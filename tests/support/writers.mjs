// Language models of random weights that can write: the conformance set's, each with a tokenizer for it.

import { readFileSync } from "node:fs";

const ASCII = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at));
const LINE = "\n";
const SPECIAL = ["<s>", "</s>"];

const tokenizer = (vocabulary, merges, more) => {
  const tokens = [...SPECIAL, ...vocabulary, ...merges.map((merge) => merge.replace(" ", ""))];
  return JSON.stringify({
    added_tokens: SPECIAL.map((content, id) => ({ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false })),
    model: { type: "BPE", vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
    ...more,
  });
};

/** As GPT-2 has it: tokens are bytes, a space is written "Ġ" and a line's end "Ċ". */
const BYTES = tokenizer(
  [...ASCII.map((char) => (char === " " ? "Ġ" : char)), "Ċ"],
  ['" :', '{ "', 'Ġ "', '" ,', "t r", "tr u", "tru e", "Ġ true", "n u", "l l", "nu ll", '" }', "] }", "Ġ 1", "a b", "ab c"],
  { pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true }, decoder: { type: "ByteLevel" } },
);

/** As Llama and Gemma have it: a space is "▁", and one stands before the first word. */
const WORDS = tokenizer(
  [...ASCII.map((char) => (char === " " ? "▁" : char)), LINE],
  ['" :', '{ "', '▁ "', '" ,', "t r", "tr u", "tru e", "▁ true", "n u", "l l", "nu ll", '" }', "▁ {", "▁ 1", "a b", "ab c"],
  {
    normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" }] },
    decoder: { type: "Sequence", decoders: [{ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }] },
  },
);

/** Family by family, with both kinds of tokenizers. */
export const WRITERS = { llama: BYTES, gemma3: WORDS, gpt2: BYTES };

/** The files of one. */
export function writer(family, with_ = WRITERS[family]) {
  const read = (file) => readFileSync(new URL(`../conformance/${family}/${file}`, import.meta.url));
  return {
    "config.json": JSON.stringify({ ...JSON.parse(read("config.json")), eos_token_id: 1 }),
    "model.safetensors": read("model.safetensors"),
    ...(with_ !== null && { "tokenizer.json": with_, "tokenizer_config.json": JSON.stringify({ bos_token: "<s>", eos_token: "</s>" }) }),
  };
}

/** Ids of what ends strings, lists and objects: with a bias for them even a model of random weights comes to an end. */
export const CLOSING = [...'"}],'].map((char) => SPECIAL.length + ASCII.indexOf(char));
