// In the page, and under Node: a tokenizer for the cases of tests/conformance, which have none, and what is expected of
// their answers, computed the plain way.

import { failureOf } from "./images-page.js";

const LETTERS = Array.from("abcdefghijklmnopqrstuvwxyz");
const WORDS = ["a", "photo", "of", "this", "is", "the", "cat", "dog", "bird", "runs", "sleeps", "house", "red", "blue"];
const MARKS = Array.from(".,!?");

/** Which ids each family puts around a text, by its configuration. */
const AROUND = {
  bert: { first: 1, last: 2 },
  t5: { last: 2 },
  bart: { first: 1, last: 2 },
  clip: { first: 1, last: 130 },
  siglip: { last: 2 },
};

/** tokenizer.json: WordPiece over small letters, with whole words for some, and the family's special tokens around. */
export function tokenizerOf(family) {
  const { first, last } = AROUND[family];
  const tokens = ["[PAD]", "[FIRST]", "[LAST]", "[UNK]", ...MARKS, ...LETTERS, ...LETTERS.map((letter) => `##${letter}`), ...WORDS.slice(1)];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const end = last === 2 ? "[LAST]" : "[END]";
  vocab[end] = last;
  const special = (id, type = 0) => ({ SpecialToken: { id, type_id: type } });
  const text = (id, type = 0) => ({ Sequence: { id, type_id: type } });
  const single = [...(first === undefined ? [] : [special("[FIRST]")]), text("A"), special(end)];
  const ids = { "[FIRST]": 1, [end]: last };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: ["[PAD]", "[UNK]", ...Object.keys(ids)].map((content) => (
      { id: vocab[content], content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
    normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, text("B", 1), special(end, 1)],
      special_tokens: Object.fromEntries(Object.entries(ids).map(([id, at]) => [id, { id, ids: [at], tokens: [id] }])),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab },
  };
}

/** The folder of a sentence-transformers model beside the weights; the pooling module is in `folder`. */
export const sentenceFiles = (mode, folder = "1_Pooling") => ({
  "modules.json": JSON.stringify([
    { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
    { idx: 1, name: "1", path: folder, type: "sentence_transformers.models.Pooling" },
  ]),
  [`${folder}/config.json`]: JSON.stringify({
    word_embedding_dimension: 48,
    pooling_mode_cls_token: mode === "cls",
    pooling_mode_mean_tokens: mode === "mean",
    pooling_mode_max_tokens: false,
    pooling_mode_mean_sqrt_len_tokens: false,
  }),
  "sentence_bert_config.json": JSON.stringify({ max_seq_length: 64, do_lower_case: false }),
});

/** The texts of each call of that name to the workers of this page from now on; `heard` is called as each goes. */
export function watchTexts(wanted, heard = () => {}) {
  const calls = [];
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, transfer) {
    const counts = message?.kind === "call" && message.name === wanted;
    if (counts) calls.push([...message.takes.texts]);
    postMessage.call(this, message, transfer);
    if (counts) heard(this);
  };
  return calls;
}

/** Of calls that should be refused, [words of the message, work]: what was not, or with other words. */
export async function unexpected(calls) {
  const outcomes = [];
  for (const [words, work] of calls) {
    const { code, message } = await failureOf(async () => work());
    if (code !== "invalid-argument" || !words.test(message)) outcomes.push(`${words}: ${code}: ${message}`);
  }
  return outcomes;
}

/** `count` texts, no two of them the same. */
export const manyTexts = (count) => Array.from({ length: count }, (_, at) => {
  const letters = Array.from(String(at), (digit) => LETTERS[digit]).join("");
  return `${WORDS[at % WORDS.length]} ${letters} ${"the dog runs ".repeat(at % 3)}`;
});

// ---------------------------------------------------------------- what is expected

/** log(softmax(logits)) of row `row` of a tensor whose last dimension is the vocabulary. */
export function logSoftmax({ data, dims }, row) {
  const width = dims.at(-1);
  const logits = Array.from(data.subarray(row * width, (row + 1) * width));
  const most = Math.max(...logits);
  const sum = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
  return logits.map((logit) => logit - most - sum);
}

/** The tokens of a beam search of so many steps that never ends early, from the logits of all positions. */
export async function beamSearch(lm, prompt, start, beams, steps) {
  let paths = [{ tokens: [], score: 0 }];
  for (let step = 0; step < steps; step++) {
    const logits = await lm.logits(paths.map(() => prompt), paths.map(({ tokens }) => [start, ...tokens]));
    const longer = paths.flatMap(({ tokens, score }, path) =>
      logSoftmax(logits, path * (step + 1) + step).map((log, id) => ({ tokens: [...tokens, id], score: score + log })));
    paths = longer.sort((a, b) => b.score - a.score).slice(0, beams);
  }
  return paths[0].tokens;
}
