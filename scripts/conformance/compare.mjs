// A family's output against its case: what differs, and where.

/** Absolute, and relative to the expected value. */
const TOLERANCE = { absolute: 1e-3, relative: 1e-3 };
/** Attention weights are at most 1. */
const ATTENTION = { absolute: 1e-4, relative: 0 };
/** Where the reference's best two logits lie closer than this, another choice is honest, and its path another one. */
const MARGIN = 1e-2;

/** Gathers the largest errors and the first few differences. */
class Verdict {
  failures = [];
  absolute = 0;
  /** The largest error as a part of what is tolerated there; over 1 is a failure. */
  relative = 0;
  /** What else was compared. */
  more = "";

  fail(text) {
    this.failures.push(text);
  }

  /** Compares a row of logits, or of something else; only the worst place is told. */
  row(what, got, expected, { place: name = "token", tolerance = TOLERANCE } = {}) {
    let worst = 0, place;
    for (const [token, value] of expected.entries()) {
      const error = Math.abs(got[token] - value);
      const part = error / (tolerance.absolute + tolerance.relative * Math.abs(value));
      this.absolute = Math.max(this.absolute, error);
      // Written so that a NaN is the worst of all.
      if (!(part <= worst)) [worst, place] = [Number.isNaN(part) ? Infinity : part, token];
    }
    this.relative = Math.max(this.relative, worst);
    if (worst > 1) this.fail(`${what}, ${name} ${place}: expected ${expected[place]}, got ${got[place]}`);
  }

  shape(what, got, expected) {
    if (got.join() !== expected.join()) this.fail(`${what}: shape [${got}], expected [${expected}]`);
    return got.join() === expected.join();
  }
}

/** The inputs of a causal case: rows without their padding, the prompt and its reference continuation. */
export function causalInput(tensors) {
  const { input_ids, attention_mask, prompt, generated } = tensors;
  const [count, length] = input_ids.shape;
  const rows = Array.from({ length: count }, (_, row) => {
    const at = row * length;
    const mask = attention_mask.data.subarray(at, at + length);
    return Array.from(input_ids.data.subarray(at, at + length)).filter((_, position) => mask[position]);
  });
  return { rows, prompt: Array.from(prompt.data), generated: Array.from(generated.data) };
}

/** Everything that a causal case holds: batched rows, single rows, the whole greedy path, the cached steps. */
export function compareCausal(tensors, output) {
  const verdict = new Verdict();
  const { rows, prompt, generated } = causalInput(tensors);
  const vocabulary = tensors.logits.shape[2];
  const length = Math.max(...rows.map((row) => row.length));
  if (verdict.shape("logits", output.rows.dims, [rows.length, length, vocabulary])) {
    rows.forEach((row, index) => compareRow(verdict, tensors.logits, output, index, row.length, length));
  }
  const total = prompt.length + generated.length;
  if (verdict.shape("logits of the path", output.path.dims, [1, total, vocabulary])) {
    const expected = (step) => slice(tensors.next_logits.data, step, vocabulary);
    for (let step = 0; step < generated.length; step++) {
      const got = slice(output.path.data, prompt.length - 1 + step, vocabulary);
      verdict.row(`next_logits, step ${step}`, got, expected(step));
    }
    if (verdict.shape("logits of the last position", output.last.dims, [1, 1, vocabulary])) {
      verdict.row("logits of the last position", output.last.data, expected(0));
    }
  }
  compareTokens(verdict, tensors, output.generated, generated, vocabulary);
  compareSteps(verdict, output, prompt.length, vocabulary);
  return verdict;
}

/** One row of the batch, and the same row alone, at its real positions. */
function compareRow(verdict, expected, output, index, count, length) {
  const [, expectedLength, vocabulary] = expected.shape;
  const alone = output.alone[index];
  const same = verdict.shape(`logits of row ${index} alone`, alone.dims, [1, count, vocabulary]);
  for (let position = 0; position < count; position++) {
    const value = slice(expected.data, index * expectedLength + position, vocabulary);
    verdict.row(`logits, row ${index}, position ${position}`, slice(output.rows.data, index * length + position, vocabulary), value);
    if (same) verdict.row(`logits, row ${index} alone, position ${position}`, slice(alone.data, position, vocabulary), value);
  }
}

/** The generated tokens, up to the first step at which the reference itself was undecided. */
function compareTokens(verdict, tensors, got, expected, vocabulary) {
  if (got.length !== expected.length) verdict.fail(`generated: ${got.length} tokens, expected ${expected.length}`);
  const undecided = expected.findIndex((_, step) => margin(slice(tensors.next_logits.data, step, vocabulary)) < MARGIN);
  const compared = undecided < 0 ? expected.length : undecided;
  verdict.more = `${compared} of ${expected.length} generated tokens`;
  const wrong = expected.findIndex((token, step) => step < compared && got[step] !== token);
  if (wrong >= 0) verdict.fail(`generated, step ${wrong}: expected token ${expected[wrong]}, got ${got[wrong]}`);
}

/** Each step with the cache against the full pass over the same tokens: its choice and its log-probability. */
function compareSteps(verdict, output, promptLength, vocabulary) {
  output.generated.forEach((token, step) => {
    const logits = slice(output.own.data, promptLength - 1 + step, vocabulary);
    const best = logits.indexOf(Math.max(...logits));
    if (best !== token && margin(logits) > TOLERANCE.absolute) {
      verdict.fail(`cached step ${step}: token ${token}, but the full pass chooses ${best}`);
    }
    const logprob = logits[token] - logSum(logits);
    const error = Math.abs(output.logprobs[step] - logprob);
    if (!(error <= TOLERANCE.absolute + TOLERANCE.relative * Math.abs(logprob))) {
      verdict.fail(`cached step ${step}: log-probability ${output.logprobs[step]}, in the full pass ${logprob}`);
    }
  });
}

/** Everything that an image case holds, of its rows together and of each alone. */
export function compareVision(tensors, output) {
  const verdict = new Verdict();
  compareImages(verdict, tensors, output.together, "");
  const [rows] = tensors.pixel_values.shape;
  for (let row = 0; row < rows; row++) compareImages(verdict, rowOf(tensors, row), output.alone[row], ` of image ${row} alone`);
  verdict.more = `${rows} images, ${tensors.attention ? "attention maps too" : "no attention maps"}`;
  return verdict;
}

function compareImages(verdict, tensors, output, which) {
  const parts = {
    logits: [output.logits, { place: "class" }],
    hidden: [output.features, { place: "value" }],
    attention: [output.maps, { place: "weight", tolerance: ATTENTION }],
  };
  for (const [name, [got, how]] of Object.entries(parts)) {
    const expected = tensors[name];
    if (expected && verdict.shape(name + which, got.dims, expected.shape)) verdict.row(name + which, got.data, expected.data, how);
  }
}

/** The case of one image alone: rows are the first dimension, but the second of attention. */
function rowOf(tensors, row) {
  const { pixel_values, hidden, logits, attention } = tensors;
  const take = ({ shape: [rows, ...rest], data }) => ({ shape: [1, ...rest], data: slice(data, row, data.length / rows) });
  if (!attention) return { pixel_values: take(pixel_values), hidden: take(hidden), logits: take(logits) };
  const [layers, rows, ...rest] = attention.shape;
  const size = attention.data.length / (layers * rows);
  const weights = new Float32Array(layers * size);
  for (let layer = 0; layer < layers; layer++) weights.set(slice(attention.data, layer * rows + row, size), layer * size);
  return {
    pixel_values: take(pixel_values),
    hidden: take(hidden),
    logits: take(logits),
    attention: { shape: [layers, 1, ...rest], data: weights },
  };
}

function slice(data, row, width) {
  return data.slice(row * width, (row + 1) * width);
}

/** How far the best logit is ahead of the second. */
function margin(logits) {
  const [first, second] = Array.from(logits).sort((a, b) => b - a);
  return first - second;
}

function logSum(logits) {
  const top = Math.max(...logits);
  return top + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - top), 0));
}
