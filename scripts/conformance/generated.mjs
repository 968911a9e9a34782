// Generated tokens against the reference's, and cached steps against a full pass.

import { slice } from "./verdict.mjs";

/** Where the reference's best two logits lie closer than this, another choice is honest, and its path another one. */
const MARGIN = 1e-2;

/** The reference's logits along its own path: `path` has them from `first` on, one position a step. */
export function comparePath(verdict, { next_logits, generated }, path, first) {
  const [, vocabulary] = next_logits.shape;
  if (!verdict.shape("logits of the path", path.dims, [1, first + generated.data.length, vocabulary])) return;
  for (const step of generated.data.keys()) {
    verdict.row(`next_logits, step ${step}`, slice(path.data, first + step, vocabulary), slice(next_logits.data, step, vocabulary));
  }
}

/** The generated tokens, up to the first step at which the reference itself was undecided. */
export function compareTokens(verdict, { next_logits, generated }, got) {
  const expected = Array.from(generated.data);
  if (got.length !== expected.length) verdict.fail(`generated: ${got.length} tokens, expected ${expected.length}`);
  const [, vocabulary] = next_logits.shape;
  const undecided = expected.findIndex((_, step) => margin(slice(next_logits.data, step, vocabulary)) < MARGIN);
  const compared = undecided < 0 ? expected.length : undecided;
  verdict.more = `${compared} of ${expected.length} generated tokens`;
  const wrong = expected.findIndex((token, step) => step < compared && got[step] !== token);
  if (wrong >= 0) verdict.fail(`generated, step ${wrong}: expected token ${expected[wrong]}, got ${got[wrong]}`);
}

/**
 * Each step with the cache against the full pass over the same tokens (`own`, from position `first` on): its choice and
 * its log-probability.
 */
export function compareSteps(verdict, { generated, logprobs, own }, first) {
  const vocabulary = own.dims.at(-1);
  const tolerance = verdict.tolerance.outputs;
  generated.forEach((token, step) => {
    const logits = slice(own.data, first + step, vocabulary);
    const best = logits.indexOf(Math.max(...logits));
    if (best !== token && margin(logits) > tolerance) {
      verdict.fail(`cached step ${step}: token ${token}, but the full pass chooses ${best}`);
    }
    const logprob = logits[token] - logSum(logits);
    const error = Math.abs(logprobs[step] - logprob);
    if (!(error <= tolerance * (1 + Math.abs(logprob)))) {
      verdict.fail(`cached step ${step}: log-probability ${logprobs[step]}, in the full pass ${logprob}`);
    }
  });
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
