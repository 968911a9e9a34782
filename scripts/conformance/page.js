// Runs in the page: a family's inputs through the package's public interface. What comes out is compared outside.

/**
 * Loads a causal model and gives what it answers to the case: `rows` and `alone` (logits of the rows as one batch and
 * one by one), `path` (of the prompt with the reference's continuation), `last`, and its own `generated` tokens with
 * their log-probabilities and `own` (logits of the prompt with its own continuation).
 */
async function causal({ CausalLM }, source, engine, input) {
  const model = await CausalLM.load(source, { engine, kvCacheType: "f32", cache: false });
  try {
    const rows = await model.logits(input.rows);
    const alone = [];
    for (const row of input.rows) alone.push(await model.logits(row));
    const path = await model.logits([...input.prompt, ...input.generated]);
    const last = await model.logits(input.prompt, { last: true });
    const tokens = [];
    const options = { maxTokens: input.generated.length, ignoreEnd: true, logprobs: 1 };
    for await (const token of model.generate(input.prompt, options)) tokens.push(token);
    const generated = tokens.map(({ id }) => id);
    const own = await model.logits([...input.prompt, ...generated]);
    const logprobs = tokens.map(({ logprob }) => logprob);
    return { rows: plain(rows), alone: alone.map(plain), path: plain(path), last: plain(last), own: plain(own), generated, logprobs };
  } finally {
    await model.dispose();
  }
}

/** Loads an image model and gives its `logits`, `features` and attention `maps` of the case's pixels: `together` and each image `alone`. */
async function vision({ ImageClassifier }, source, engine, { data, dims }) {
  const model = await ImageClassifier.load(source, { engine, cache: false });
  const look = async (pixels) => ({
    logits: plain(await model.logits(pixels)),
    features: plain(await model.features(pixels)),
    maps: plain(await model.attentionMaps(pixels)),
  });
  try {
    const [rows, ...rest] = dims;
    const size = data.length / rows;
    const together = await look({ data: Float32Array.from(data), dims });
    const alone = [];
    for (let row = 0; row < rows; row++) {
      alone.push(await look({ data: Float32Array.from(data.slice(row * size, (row + 1) * size)), dims: [1, ...rest] }));
    }
    return { together, alone };
  } finally {
    await model.dispose();
  }
}

/** Arrays that survive the way out of the page. */
function plain({ data, dims }) {
  return { data: Array.from(data), dims };
}

/** A folder by its address, or its files with other contents in place of some: the same folder as a record. */
async function sourceOf(folder, replaced) {
  if (!replaced) return folder;
  const weights = await fetch(new URL("model.safetensors", folder));
  return { "model.safetensors": new Uint8Array(await weights.arrayBuffer()), ...replaced };
}

const KINDS = {
  causal: { needs: "CausalLM", run: causal },
  encoder: { needs: "TextEmbedder" },
  seq2seq: { needs: "Seq2SeqLM" },
  vision: { needs: "ImageClassifier", run: vision },
  dual: { needs: "ImageTextMatcher" },
};

/** Runs one family on an engine with these options. Gives `{ output }`, `{ unsupported: reason }` or `{ error }`. */
export async function runFamily({ entry, kind, folder, replaced, options, input }) {
  const azulejo = await import(entry);
  const { needs, run } = KINDS[kind];
  if (!(needs in azulejo)) return { unsupported: `the package has no ${needs}` };
  if (!run) return { error: `${needs} exists, but no check of kind "${kind}" is written` };
  const engine = await azulejo.Engine.create(options);
  try {
    return { output: await run(azulejo, await sourceOf(folder, replaced), engine, input) };
  } catch (error) {
    if (error instanceof azulejo.AzulejoError && error.code === "unsupported-model") return { unsupported: error.message };
    return { error: `${error.code ?? error.name}: ${error.message}` };
  } finally {
    await engine.dispose();
  }
}
