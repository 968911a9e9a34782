// The life of models, which should leave nothing: loaded, used, aborted, failed, disposed of. In a page or under Node.

const PIXELS = { data: new Float32Array(3 * 48 * 48), dims: [1, 3, 48, 48] };
const LONG = Array.from({ length: 300 }, (_, at) => 5 + (at * 7) % 200);
const ON = { ignoreEnd: true };

/** The error's code, of what has to fail. */
const failing = (work) => work().then(() => "none", ({ code }) => code);

/** `files`: { lm, bert, t5, vit, clip }. Gives the codes of what has failed. */
async function cycle(api, engine, files) {
  const load = (kind, source, options) => api[kind].load(source, { engine, ...options });
  const lm = await load("CausalLM", files.lm);
  const session = lm.createSession();
  const other = lm.createSession();
  await session.generate(LONG, { maxTokens: 5, ...ON });
  await session.generate([...LONG, 7, 8], { maxTokens: 5, temperature: 1, seed: 3, ...ON });
  await session.generate(LONG.slice(0, 9), { maxTokens: 3, logprobs: 2, repetitionPenalty: 1.2, ...ON });
  const restored = await lm.restoreSession(await session.save());
  const clone = await restored.clone();
  await Promise.all([clone.generate([...LONG, 9], { maxTokens: 3, ...ON }), restored.generate([...LONG, 7, 9], { maxTokens: 3, ...ON })]);
  await restored.truncate(70);
  await restored.dispose();
  await lm.tokenizer.decode(await lm.tokenizer.encode("the red house"));
  await lm.logits([[1, 2], [3, 4]]);
  await lm.attentionMaps([1, 2, 3]);
  await api.inspect(files.lm, { engine });
  const others = await Promise.all([
    load("TextEmbedder", files.bert), load("TextClassifier", files.bert), load("Seq2SeqLM", files.t5),
    load("ImageClassifier", files.vit), load("ImageTextMatcher", files.clip),
  ]);
  const [embedder, classifier, seq2seq, vit, clip] = others;
  await embedder.embed([[1, 2, 3], [4]]);
  await embedder.attentionMaps([1, 2]);
  await classifier.logits([1, 2]);
  await seq2seq.generate([5, 6, 7], { maxTokens: 4, ...ON });
  await seq2seq.generate([5, 6, 7], { maxTokens: 4, beams: 2, ...ON });
  await vit.logits(PIXELS);
  await vit.attentionMaps(PIXELS);
  await clip.logits(PIXELS, [1, 2]);
  await aborts(api, engine, { lm, session, other, files });
  const codes = await failures(api, engine, { lm, classifier, vit, files });
  await other.dispose();
  // A session that nobody disposed of goes with its model.
  for (const model of [lm, ...others]) await model.dispose();
  return codes;
}

async function aborts({ CausalLM }, engine, { lm, session, other, files }) {
  for (const generation of [session.generate([5, 6], ON), other.generate([5, 6], { temperature: 1, ...ON }), lm.generate([5, 6], { logprobs: 1, ...ON })]) {
    let heard = 0;
    for await (const _ of generation) if (++heard === 3) break;
  }
  for (const work of [
    (signal) => lm.logits(LONG, { signal }),
    (signal) => CausalLM.load(files.lm, { engine, signal }),
    (signal) => lm.generate(LONG, { signal }),
  ]) {
    const controller = new AbortController();
    const calling = work(controller.signal);
    // It is under way by then: an answer to a later call has come.
    await lm.tokenizer.encode("a");
    controller.abort();
    await calling.catch(() => {});
  }
  const controller = new AbortController();
  await CausalLM.load(files.lm, { engine, signal: controller.signal, onProgress: () => controller.abort() }).catch(() => {});
}

async function failures({ CausalLM, inspect }, engine, { lm, classifier, vit, files }) {
  const broken = files.lm.slice();
  broken.fill(255, 24, 200);
  return [
    await failing(() => CausalLM.load(files.lm.subarray(0, files.lm.length / 2), { engine })),
    await failing(() => CausalLM.load(broken, { engine })),
    await failing(() => inspect(broken, { engine })),
    await failing(() => CausalLM.load({ "config.json": "{" }, { engine })),
    await failing(() => lm.restoreSession(new ArrayBuffer(80))),
    await failing(() => lm.logits([1e6])),
    await failing(() => lm.generate([1e6])),
    await failing(() => lm.generate([5], { logitBias: { 99999: 1 } })),
    await failing(() => classifier.classify(["a"])),
    await failing(() => vit.logits({ data: new Float32Array(12), dims: [1, 3, 2, 2] })),
  ];
}

/**
 * What there is of everything, but for what only grows. The GPU answers in the order in which it was asked: once a model has
 * its numbers, nobody waits any more for what was asked for before, nor holds memory to wait with.
 */
async function census({ CausalLM }, engine, files) {
  const last = await CausalLM.load(files.lm, { engine });
  await last.logits([1]);
  await last.dispose();
  const { models, sessions, jobs, pulls, liveBytes, gpuAllocatedBytes } = await engine.diagnostics();
  return { models, sessions, jobs, pulls, liveBytes, gpuAllocatedBytes };
}

/** What is there at first, and after each of so many cycles. */
export async function cycles(api, options, files, count) {
  const engine = await api.Engine.create(options);
  // The core has places for the page's objects, as many as it ever held at once, which depends on what comes when: here are
  // more than any cycle has. The last row is refused before anything is computed.
  const lm = await api.CausalLM.load(files.lm, { engine });
  await failing(() => lm.logits([...Array(2000).fill([1]), [1e6]]));
  await lm.dispose();
  const counts = [await census(api, engine, files)];
  let codes;
  for (let at = 0; at < count; at++) {
    codes = await cycle(api, engine, files);
    counts.push(await census(api, engine, files));
  }
  const { wasmBytes, liveBytes, peakBytes } = await engine.diagnostics();
  await engine.dispose();
  return { counts, codes, ordered: 0 < liveBytes && liveBytes < peakBytes && peakBytes < wasmBytes, device: engine.device.kind };
}
