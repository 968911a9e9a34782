// Runs in the page: what a kind of model is asked, through the package's public interface. Everything is answered as
// `{ data, dims }` of plain arrays, which survive the way out of the page.

const CACHE = { cache: false };

/** Loads a model, asks it, and disposes of it. */
async function using(Model, source, options, ask) {
  const model = await Model.load(source, { ...options, ...CACHE });
  try {
    return await ask(model);
  } finally {
    await model.dispose();
  }
}

function plain({ data, dims }) {
  return { data: Array.from(data), dims };
}

/** What `answer` gives for the rows together, and for each alone. */
async function both(rows, answer) {
  const together = plain(await answer(rows));
  const alone = [];
  for (const row of rows) alone.push(plain(await answer([row])));
  return { together, alone };
}

/** Greedily generated tokens with their log-probabilities. */
async function generate(model, prompt, maxTokens) {
  const tokens = [];
  for await (const token of model.generate(prompt, { maxTokens, ignoreEnd: true, logprobs: 1 })) tokens.push(token);
  return { generated: tokens.map(({ id }) => id), logprobs: tokens.map(({ logprob }) => logprob) };
}

/** The images of a batch of pixels, each as a batch of one. */
function imagesOf({ data, dims: [count, ...rest] }) {
  const size = data.length / count;
  return Array.from({ length: count }, (_, image) => ({
    data: Float32Array.from(data.slice(image * size, (image + 1) * size)),
    dims: [1, ...rest],
  }));
}

function tensor({ data, dims }) {
  return { data: Float32Array.from(data), dims };
}

/**
 * `rows` and `alone` (logits of the rows as one batch and one by one), `path` (of the prompt with the reference's
 * continuation), `last`, and its own `generated` tokens with their log-probabilities and `own` (logits of the prompt
 * with its own continuation).
 */
function causal({ CausalLM }, source, engine, { rows, prompt, generated }) {
  return using(CausalLM, source, { engine, kvCacheType: "f32" }, async (model) => {
    const { together, alone } = await both(rows, (rows) => model.logits(rows));
    const path = (tokens) => model.logits([...prompt, ...tokens.slice(0, -1)]).then(plain);
    const last = plain(await model.logits(prompt, { last: true }));
    const made = await generate(model, prompt, generated.length);
    return { rows: together, alone, last, path: await path(generated), own: await path(made.generated), ...made };
  });
}

/** Hidden states, vectors by each pooling, logits of classes. */
async function encoder({ TextEmbedder, TextClassifier }, source, engine, { rows, pooling, classes }) {
  const vectors = await using(TextEmbedder, source, { engine }, async (model) => ({
    hidden: await both(rows, (rows) => model.hidden(rows)),
    pooled: pooling && await both(rows, (rows) => model.embed(rows, { pooling, normalize: false })),
    mean: await both(rows, (rows) => model.embed(rows, { pooling: "mean", normalize: true })),
    cls: await both(rows, (rows) => model.embed(rows, { pooling: "cls", normalize: true })),
  }));
  const logits = classes && await using(TextClassifier, source, { engine }, (model) => both(rows, (rows) => model.logits(rows)));
  return { ...vectors, logits };
}

/** Hidden states, logits of classes of each token. */
async function tokens({ TextEmbedder, TokenClassifier }, source, engine, { rows }) {
  const hidden = await using(TextEmbedder, source, { engine }, (model) => both(rows, (rows) => model.hidden(rows)));
  const logits = await using(TokenClassifier, source, { engine }, (model) => both(rows, (rows) => model.logits(rows)));
  return { hidden, logits };
}

/** As of a causal model; `ragged` is of decoder rows of which each is shorter than the one before. */
function seq2seq({ Seq2SeqLM }, source, engine, { rows, decoderRows, prompt, start, generated }) {
  return using(Seq2SeqLM, source, { engine }, async (model) => {
    const pairs = (decoderRows) => rows.map((row, at) => [row, decoderRows[at]]);
    const logits = (pairs) => model.logits(pairs.map(([row]) => row), pairs.map(([, row]) => row));
    const { together, alone } = await both(pairs(decoderRows), logits);
    const shorter = decoderRows.map((row, at) => row.slice(0, row.length - 3 * at));
    const ragged = { ...await both(pairs(shorter), logits), lengths: shorter.map((row) => row.length) };
    const path = (tokens) => model.logits([prompt], [[start, ...tokens.slice(0, -1)]]).then(plain);
    const made = await generate(model, prompt, generated.length);
    return { rows: together, alone, ragged, path: await path(generated), own: await path(made.generated), ...made };
  });
}

/** Logits, features and attention maps, of the images `together` and of each `alone`. */
function vision({ ImageClassifier }, source, engine, pixels) {
  return using(ImageClassifier, source, { engine }, async (model) => {
    const look = async (pixels) => ({
      logits: plain(await model.logits(pixels)),
      features: plain(await model.features(pixels)),
      maps: plain(await model.attentionMaps(pixels)),
    });
    const together = await look(tensor(pixels));
    const alone = [];
    for (const image of imagesOf(pixels)) alone.push(await look(image));
    return { together, alone };
  });
}

/** Vectors of images and texts; logits of all pairs together, and of each pair alone. */
function dual({ ImageTextMatcher }, source, engine, { pixels, rows }) {
  return using(ImageTextMatcher, source, { engine }, async (model) => {
    const single = imagesOf(pixels);
    const images = { together: plain(await model.embedImage(tensor(pixels))), alone: [] };
    for (const image of single) images.alone.push(plain(await model.embedImage(image)));
    const texts = await both(rows, (rows) => model.embedText(rows));
    const logits = { together: plain(await model.logits(tensor(pixels), rows)), alone: [] };
    for (const image of single) for (const row of rows) logits.alone.push(plain(await model.logits(image, [row])));
    return { images, texts, logits };
  });
}

/** For each kind the classes that it needs, and what they are asked. */
export const KINDS = {
  causal: { needs: ["CausalLM"], ask: causal },
  encoder: { needs: ["TextEmbedder", "TextClassifier"], ask: encoder },
  tokens: { needs: ["TextEmbedder", "TokenClassifier"], ask: tokens },
  seq2seq: { needs: ["Seq2SeqLM"], ask: seq2seq },
  vision: { needs: ["ImageClassifier"], ask: vision },
  dual: { needs: ["ImageTextMatcher"], ask: dual },
};
