// What a model costs through the package: loading, prompts, tokens, sentences, images. Runs in a page and in Node.

import { CausalLM, ImageClassifier, TextEmbedder } from "../../dist/index.js";
import { pixelsOf } from "../pixels.js";
import { aStep, less, spentOn } from "../../www-dist/gpu/steps.js";
import { decoder, minilm, vit } from "./models.js";

/** Ids that every random vocabulary has, in a fixed shuffle. */
export function promptOf(count) {
  let state = 1;
  return Array.from({ length: count }, () => 1 + (state = (state * 48271) % 2147483647) % 256);
}

/** Options of `generate` that end for no token. */
export const WAYS = {
  greedy: {},
  "topK 40, topP 0.95": { temperature: 0.8, topK: 40, topP: 0.95, seed: 1 },
};

/** A model of that shape: { model, seconds, bytes }. */
export async function openDecoder(engine, shape, options = {}) {
  const { bytes, stream } = decoder(shape);
  const start = performance.now();
  const model = await CausalLM.load(stream(), { engine, ...options });
  return { model, bytes, seconds: (performance.now() - start) / 1000 };
}

/** Milliseconds until a prompt's first token is there, best of some rounds after one that does not count. */
export async function prefill(model, count, { rounds = 3 } = {}) {
  const tokens = promptOf(count);
  const once = async () => {
    const start = performance.now();
    await model.generate(tokens, { maxTokens: 1, ignoreEnd: true });
    return performance.now() - start;
  };
  await once();
  let best = Infinity;
  for (let round = 0; round < rounds; round++) best = Math.min(best, await once());
  return { tokens: count, ms: best, tokensPerSecond: (count * 1000) / best };
}

/** Milliseconds a token after a prompt of `before` tokens, from the first to the last of `count`, best of some rounds. */
export async function decode(model, count, { before = 16, way = {}, rounds = 2 } = {}) {
  const tokens = promptOf(before);
  const once = async (count) => {
    let start, end;
    for await (const _ of model.generate(tokens, { maxTokens: count + 1, ignoreEnd: true, ...way })) {
      end = performance.now();
      start ??= end;
    }
    return (end - start) / count;
  };
  await once(4);
  let best = Infinity;
  for (let round = 0; round < rounds; round++) best = Math.min(best, await once(count));
  return { tokens: count, before, ms: best, tokensPerSecond: 1000 / best };
}

/** What a step comes to on the GPU of an engine with `profile`: one of the prompt, and one of a token. */
export async function steps(engine, model, prompt, count) {
  const generate = (tokens, maxTokens) => async () => void (await model.generate(tokens, { maxTokens, ignoreEnd: true }));
  await generate(promptOf(prompt), 1 + count)();
  const few = promptOf(4);
  const first = await spentOn(engine, generate(few, 1));
  return {
    prefill: aStep(await spentOn(engine, generate(promptOf(prompt), 1))),
    decode: aStep(less(await spentOn(engine, generate(few, count + 1)), first)),
  };
}

/** Milliseconds of vectors of `rows` of ids. */
export async function sentences(engine, shape, lengths, rounds = 3) {
  const model = await TextEmbedder.load(minilm(shape), { engine });
  const rows = lengths.map((length) => promptOf(length));
  const ms = await best(() => model.embed(rows), rounds);
  await model.dispose();
  return { texts: lengths.length, tokens: lengths.reduce((sum, length) => sum + length, 0), ms };
}

/** Milliseconds of the logits of so many images. */
export async function images(engine, shape, count, rounds = 3) {
  const model = await ImageClassifier.load(vit(shape), { engine });
  const size = [3, shape.image, shape.image];
  const ms = await best(() => model.logits({ data: pixelsOf(count, size), dims: [count, ...size] }), rounds);
  await model.dispose();
  return { images: count, ms };
}

async function best(work, rounds) {
  await work();
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** The largest difference of two devices' logits of one prompt, over the largest logit. */
export async function logitsApart(engines, shape, count = 24) {
  const all = [];
  for (const engine of engines) {
    const { model } = await openDecoder(engine, shape, { contextLength: 64 });
    const { data } = await model.logits([promptOf(count)]);
    all.push(data);
    await model.dispose();
  }
  const [some, others] = all;
  let [difference, largest] = [0, 0];
  for (let i = 0; i < some.length; i++) {
    // No number is the largest difference.
    difference = Math.max(difference, Number.isFinite(others[i]) ? Math.abs(some[i] - others[i]) : Infinity);
    largest = Math.max(largest, Math.abs(some[i]));
  }
  return { values: some.length, difference, largest, apart: difference / largest };
}
