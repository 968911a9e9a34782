// What a model answers to the reference's texts and prompts. Runs in a page and in Node: the logits of one text are
// too large to leave the page.

/** Where the reference's own first two choices lie further apart than this, an honest implementation agrees. */
const SURE = 0.3;
/** On WebGPU a stand-in for a GPU makes a few tokens a second: so many of a continuation are made there. */
const MOST_ON_WEBGPU = 12;

/** Loads the model on `device` and asks it everything; the caller judges. */
export async function askEverything({ CausalLM, Engine }, source, reference, device) {
  const engine = await Engine.create({ device });
  try {
    const model = await CausalLM.load(source, { engine, cache: false, contextLength: 1024 });
    const texts = [];
    for (const text of reference.texts) texts.push(await askText(model, text));
    const greedy = [];
    for (const prompt of reference.greedy) greedy.push(await askGreedy(model, prompt, device === "webgpu" ? MOST_ON_WEBGPU : Infinity));
    const words = [];
    for (const sample of reference.tokenizer) words.push(await askTokenizer(model, sample));
    return { device: engine.device.description, texts, greedy, words };
  } finally {
    await engine.dispose();
  }
}

/** Perplexity of one text, and on how many positions the first choice is the reference's. */
async function askText(model, { text, ids, perplexity, top_ids, top_logprobs }) {
  const encoded = Array.from(await model.tokenizer.encode(text, { addSpecial: false }));
  const { data, dims } = await model.logits(ids);
  const vocabulary = dims[2];
  const counts = { positions: ids.length, same: 0, sure: 0, sureSame: 0 };
  let loss = 0;
  for (let position = 0; position < ids.length; position++) {
    const logits = data.subarray(position * vocabulary, (position + 1) * vocabulary);
    const best = argmax(logits);
    const same = Number(best === top_ids[position][0]);
    const [first, second] = top_logprobs[position];
    const sure = Number(first - second > SURE);
    counts.same += same;
    counts.sure += sure;
    counts.sureSame += sure * same;
    if (position + 1 < ids.length) loss += logSum(logits, logits[best]) - logits[ids[position + 1]];
  }
  return { text, encoded, ids, dims, perplexity: Math.exp(loss / (ids.length - 1)), expected: perplexity, ...counts };
}

/**
 * What the model would choose at each step of the reference's own continuation, where that is sure; and its own greedy
 * continuation as far as the reference's is to be compared, `most` tokens of it.
 */
async function askGreedy(model, { prompt, prompt_text, prompt_ids, generated, margins }, most) {
  const text = typeof prompt === "string" ? prompt : await model.tokenizer.applyChatTemplate(prompt, { addGenerationPrompt: true });
  const encoded = Array.from(await model.tokenizer.encode(text, { addSpecial: false }));
  const { data, dims: [, , vocabulary] } = await model.logits([...prompt_ids, ...generated.slice(0, -1)]);
  const choices = generated.map((_, step) => {
    const position = prompt_ids.length - 1 + step;
    return argmax(data.subarray(position * vocabulary, (position + 1) * vocabulary));
  });
  const sure = [...generated.keys()].filter((step) => margins[step] > SURE);
  const unsure = margins.findIndex((margin) => margin < SURE);
  const compared = Math.min(unsure < 0 ? generated.length : unsure, most);
  const result = await model.generate(prompt, { maxTokens: Math.max(1, compared), ignoreEnd: true });
  return {
    text, expectedText: prompt_text, encoded, ids: prompt_ids, promptTokens: result.stats.promptTokens, sure,
    choices, tokens: Array.from(result.tokens).slice(0, compared), generated, compared,
  };
}

async function askTokenizer(model, { text, ids, decoded }) {
  return {
    text, ids, decoded,
    encoded: Array.from(await model.tokenizer.encode(text, { addSpecial: false })),
    back: await model.tokenizer.decode(ids, { skipSpecial: false }),
  };
}

function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** log Σ exp(values), with their maximum known. */
function logSum(values, top) {
  let sum = 0;
  for (const value of values) sum += Math.exp(value - top);
  return top + Math.log(sum);
}
