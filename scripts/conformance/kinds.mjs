// A family's case by its kind: what of it the page is given (`input`), and how the answer is compared (`compare`).

import { comparePath, compareSteps, compareTokens } from "./generated.mjs";
import { Verdict, comparePositions, compareRows, rowOf, slice, unpaddedRows } from "./verdict.mjs";

/** Batched rows, single rows, the whole greedy path, the cached steps. */
const causal = {
  input: (tensors) => ({
    rows: unpaddedRows(tensors),
    prompt: Array.from(tensors.prompt.data),
    generated: Array.from(tensors.generated.data),
  }),
  compare(tensors, output, tolerance) {
    const verdict = new Verdict(tolerance);
    const [, vocabulary] = tensors.next_logits.shape;
    const first = tensors.prompt.data.length - 1;
    comparePositions(verdict, "logits", tensors.logits, { ...output, together: output.rows, lengths: lengthsOf(tensors) });
    comparePath(verdict, tensors, output.path, first);
    verdict.tensor("logits of the last position", output.last, {
      shape: [1, 1, vocabulary],
      data: slice(tensors.next_logits.data, 0, vocabulary),
    });
    compareTokens(verdict, tensors, output.generated);
    compareSteps(verdict, output, first);
    return verdict;
  },
};

/** Hidden states, each pooling and the classifier, of the rows together and of each alone. */
const encoder = {
  input(tensors) {
    const classes = "logits" in tensors;
    // Without a classifier it is a body alone, and what it pools is the last token.
    return { rows: unpaddedRows(tensors), pooling: "pooled" in tensors ? (classes ? "pooler" : "last") : null, classes };
  },
  compare(tensors, { hidden, pooled, mean, cls, logits }, tolerance) {
    const verdict = new Verdict(tolerance);
    const lengths = lengthsOf(tensors);
    comparePositions(verdict, "hidden", tensors.hidden, { ...hidden, lengths, place: "value" });
    comparePadding(verdict, hidden.together, lengths);
    const value = { place: "value" };
    if (tensors.pooled) compareRows(verdict, "pooled", tensors.pooled, { ...pooled, ...value });
    compareRows(verdict, "mean of hidden", pooledHidden(tensors, lengths, (length) => length), { ...mean, ...value });
    compareRows(verdict, "first of hidden", pooledHidden(tensors, lengths, () => 1), { ...cls, ...value });
    if (tensors.logits) compareRows(verdict, "logits", tensors.logits, { ...logits, place: "class" });
    verdict.more = `${lengths.length} rows, ${tensors.pooled ? "pooled too" : "no pooler"}`;
    return verdict;
  },
};

/** Hidden states and logits of each token, of the rows together and of each alone. */
const tokens = {
  input: (tensors) => ({ rows: unpaddedRows(tensors) }),
  compare(tensors, { hidden, logits }, tolerance) {
    const verdict = new Verdict(tolerance);
    const lengths = lengthsOf(tensors);
    comparePositions(verdict, "hidden", tensors.hidden, { ...hidden, lengths, place: "value" });
    comparePositions(verdict, "logits", tensors.logits, { ...logits, lengths, place: "class" });
    comparePadding(verdict, logits.together, lengths);
    verdict.more = `${lengths.length} rows`;
    return verdict;
  },
};

/** Batched rows, single rows, decoder rows of several lengths, the whole greedy path, the cached steps. */
const seq2seq = {
  input(tensors, config) {
    const { shape: [count, length], data } = tensors.decoder_input_ids;
    return {
      rows: unpaddedRows(tensors),
      decoderRows: Array.from({ length: count }, (_, row) => Array.from(slice(data, row, length))),
      prompt: Array.from(tensors.prompt.data),
      start: config.decoder_start_token_id,
      generated: Array.from(tensors.generated.data),
    };
  },
  compare(tensors, output, tolerance) {
    const verdict = new Verdict(tolerance);
    const [count, length] = tensors.decoder_input_ids.shape;
    const whole = Array(count).fill(length);
    comparePositions(verdict, "logits", tensors.logits, { ...output, together: output.rows, lengths: whole });
    comparePositions(verdict, "logits of decoder rows that end early", tensors.logits, output.ragged);
    comparePath(verdict, tensors, output.path, 0);
    compareTokens(verdict, tensors, output.generated);
    compareSteps(verdict, output, 0);
    return verdict;
  },
};

/** Logits, hidden states and attention maps, of the images together and of each alone. */
const vision = {
  input: pixels,
  compare(tensors, { together, alone }, tolerance) {
    const verdict = new Verdict(tolerance);
    compareImages(verdict, tensors, together, "");
    alone.forEach((output, row) => compareImages(verdict, imageOf(tensors, row), output, ` of image ${row} alone`));
    verdict.more = `${alone.length} images, ${tensors.attention ? "attention maps too" : "no attention maps"}`;
    return verdict;
  },
};

/** Vectors of images and of texts, and how the model scores them; together and alone. */
const dual = {
  input: (tensors) => ({ pixels: pixels(tensors), rows: unpaddedRows(tensors) }),
  compare(tensors, { images, texts, logits }, tolerance) {
    const verdict = new Verdict(tolerance);
    compareRows(verdict, "image_embeds", tensors.image_embeds, { ...images, place: "value" });
    compareRows(verdict, "text_embeds", tensors.text_embeds, { ...texts, place: "value" });
    verdict.tensor("logits_per_image", logits.together, tensors.logits_per_image, { place: "pair" });
    const [, count] = tensors.logits_per_image.shape;
    logits.alone.forEach((got, pair) => {
      const expected = { shape: [1, 1], data: slice(tensors.logits_per_image.data, pair, 1) };
      verdict.tensor(`logits of image ${Math.floor(pair / count)} and text ${pair % count} alone`, got, expected, { place: "pair" });
    });
    verdict.more = `${images.alone.length} images, ${texts.alone.length} texts`;
    return verdict;
  },
};

export const KINDS = { causal, encoder, tokens, seq2seq, vision, dual };

function pixels({ pixel_values: { data, shape } }) {
  return { data: Array.from(data), dims: shape };
}

function lengthsOf(tensors) {
  return unpaddedRows(tensors).map((row) => row.length);
}

/** The mean of the first hidden states of each row, so many of them as `take` says, at unit length. */
function pooledHidden({ hidden: { shape: [rows, length, width], data } }, lengths, take) {
  const vectors = lengths.flatMap((positions, row) => {
    const sum = new Array(width).fill(0);
    for (let position = 0; position < take(positions); position++) {
      slice(data, row * length + position, width).forEach((value, at) => { sum[at] += value; });
    }
    const norm = Math.hypot(...sum);
    return sum.map((value) => value / norm);
  });
  return { shape: [rows, width], data: Float32Array.from(vectors) };
}

function comparePadding(verdict, { data, dims: [, length, width] }, lengths) {
  lengths.forEach((count, row) => {
    const padding = data.slice((row * length + count) * width, (row + 1) * length * width);
    if (padding.some((value) => value !== 0)) verdict.fail(`row ${row}: the padding is not zero`);
  });
}

function compareImages(verdict, tensors, output, which) {
  verdict.tensor(`logits${which}`, output.logits, tensors.logits, { place: "class" });
  verdict.tensor(`hidden${which}`, output.features, tensors.hidden, { place: "value" });
  if (tensors.attention) verdict.tensor(`attention${which}`, output.maps, tensors.attention, { place: "weight", of: "attention" });
}

/** The case of one image alone: rows are the first dimension, but the second of attention. */
function imageOf({ hidden, logits, attention }, row) {
  const alone = { hidden: rowOf(hidden, row), logits: rowOf(logits, row) };
  if (!attention) return alone;
  const [layers, rows, ...rest] = attention.shape;
  const size = attention.data.length / (layers * rows);
  const weights = new Float32Array(layers * size);
  for (let layer = 0; layer < layers; layer++) weights.set(slice(attention.data, layer * rows + row, size), layer * size);
  return { ...alone, attention: { shape: [layers, 1, ...rest], data: weights } };
}
