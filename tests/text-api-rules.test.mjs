// TextEmbedder, TextClassifier, Seq2SeqLM and ImageTextMatcher in Chromium: what a caller may rely on, and what is wrong
// with what is wrong.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { tiny } from "./api-models.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { assertNear } from "./support/near.mjs";
import { startServer } from "./support/server.mjs";
import { openTextPage } from "./support/text-browser.mjs";

deadline(5);

const ROOT = fileURLToPath(new URL("..", import.meta.url));

let browser, server, page;
before(async () => {
  browser = await launchBrowser();
  server = await startServer({ mounts: { "/": ROOT }, isolated: false });
  page = await openTextPage(browser, server, "cpu");
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test("vectors of texts are computed once", async () => {
  const { asked, same } = await page.evaluate(async () => {
    const matcher = await ImageTextMatcher.load(await source("clip"), { engine });
    const calls = watchTexts("embedTexts");
    const image = pattern(48, 48);
    const asked = [];
    const ask = async (work) => {
      calls.length = 0;
      const answer = await work();
      asked.push(calls.flat().length);
      return answer;
    };
    const first = await ask(() => matcher.classify(image, ["cat", "dog", "cat"]));
    const again = await ask(() => matcher.classify(image, ["cat", "dog", "cat"]));
    await ask(() => matcher.classify(pattern(9, 9), ["dog", "bird"]));
    await ask(() => matcher.embedText("This is a photo of dog."));
    await ask(() => matcher.embedText(["a", "b", "a"]));
    await ask(() => matcher.embedText([[1, 5, 130], [1, 5, 130]]));
    // Whoever changes what was handed out changes no vector that is kept.
    (await matcher.embedText("a")).data.fill(0);
    const kept = (await matcher.embedText("a")).data.some((value) => value !== 0);
    await matcher.dispose();
    return { asked, same: JSON.stringify(first) === JSON.stringify(again) && kept };
  });
  assert.deepEqual(asked, [2, 0, 1, 0, 2, 2]);
  assert(same);
});

test("of very many texts only the latest are kept, and all are answered", async () => {
  const { rows, again, latest } = await page.evaluate(async () => {
    const matcher = await ImageTextMatcher.load(await source("clip"), { engine });
    const texts = manyTexts(1003);
    const rows = (await matcher.embedText(texts)).dims;
    const calls = watchTexts("embedTexts");
    await matcher.embedText(texts.slice(3));
    const latest = calls.flat().length;
    await matcher.embedText(texts.slice(0, 3));
    await matcher.dispose();
    return { rows, latest, again: calls.flat().length };
  });
  assert.deepEqual([rows, latest, again], [[1003, 40], 0, 3]);
});

test("a template's braces are the label, whatever is in it", async () => {
  const texts = await page.evaluate(async () => {
    const matcher = await ImageTextMatcher.load(await source("clip"), { engine });
    const calls = watchTexts("embedTexts");
    await matcher.classify(pattern(9, 9), ["$& {}", "dog"], { template: "{}: this is {}" });
    await matcher.classify([pattern(9, 9)], ["dog"]);
    await matcher.dispose();
    return calls;
  });
  assert.deepEqual(texts, [["$& {}: this is $& {}", "dog: this is dog"], ["This is a photo of dog."]]);
});

test("pooling is what the checkpoint's modules say", async () => {
  const { cls, mean, elsewhere, given } = await page.evaluate(async () => {
    const embed = async (files, options) => {
      const embedder = await TextEmbedder.load(await source("bert", files), { engine });
      const { data } = await embedder.embed("the dog", options);
      await embedder.dispose();
      return Array.from(data);
    };
    return {
      cls: await embed(sentenceFiles("cls")),
      mean: await embed(sentenceFiles("mean")),
      elsewhere: await embed(sentenceFiles("cls", "pool")),
      given: [await embed({}, { pooling: "cls" }), await embed({}, { pooling: "mean" })],
    };
  });
  assertNear(cls, given[0], "cls", 1e-6);
  assertNear(mean, given[1], "mean", 1e-6);
  assertNear(elsewhere, cls, "a pooling module elsewhere", 1e-6);
  assert.notDeepEqual(cls, mean);
});

test("what only an embedder needs is not read for a classifier", async () => {
  const failures = await page.evaluate(async () => {
    const broken = { "modules.json": "{" };
    await (await TextClassifier.load(await source("bert", broken), { engine })).dispose();
    return [
      await failureOf(async () => TextEmbedder.load(await source("bert", broken), { engine })),
      await failureOf(async () => TextEmbedder.load(await source("bert", sentenceFiles("mean", "../..")), { engine })),
    ];
  });
  for (const { code } of failures) assert.equal(code, "corrupt-file");
  assert.match(failures[0].message, /modules\.json/);
});

test("a model for something else is refused before its weights come, with the class that takes it", async () => {
  const outcomes = await page.evaluate(async (bytes) => {
    const wrong = [
      [TextEmbedder, "t5"], [TextClassifier, "t5"], [Seq2SeqLM, "bert"], [ImageTextMatcher, "bert"],
      [CausalLM, "bert"], [ImageClassifier, "clip"], [TextEmbedder, "clip"], [Seq2SeqLM, "llama.gguf"],
    ];
    const outcomes = [];
    for (const [kind, family] of wrong) {
      let read = 0;
      const onProgress = ({ loadedBytes }) => { read = Math.max(read, loadedBytes); };
      const from = family === "llama.gguf" ? { "model.gguf": new Uint8Array(bytes) } : await source(family);
      const failure = await failureOf(() => kind.load(from, { engine, onProgress }));
      outcomes.push({ what: `${kind.name} of ${family}`, read, ...failure });
    }
    return outcomes;
  }, Array.from(tiny()));
  const takers = ["Seq2SeqLM", "Seq2SeqLM", "TextClassifier", "TextClassifier", "TextClassifier", "ImageTextMatcher", "ImageTextMatcher", "CausalLM"];
  outcomes.forEach(({ what, read, code, message }, at) => {
    assert.equal(code, "invalid-argument", what);
    assert(message.endsWith(`load it with ${takers[at]}`), `${what}: ${message}`);
    assert.equal(read, 0, what);
  });
});

test("inspect tells what each model is for", async () => {
  const tasks = await page.evaluate(async () => {
    const tasks = {};
    for (const family of ["bert", "t5", "bart", "clip", "siglip"])
      tasks[family] = (await inspect(await source(family), { engine })).task;
    return tasks;
  });
  assert.deepEqual(tasks, {
    bert: "text-classification", t5: "seq2seq", bart: "seq2seq", clip: "image-text-matching", siglip: "image-text-matching",
  });
});

test("what is wrong is said with its name, and the model goes on: embedders", async () => {
  const outcomes = await page.evaluate(async () => {
    const embedder = await TextEmbedder.load(await source("bert"), { engine });
    const outcomes = await unexpected([
      [/^texts should be/, () => embedder.embed(5)],
      [/^texts\[1\] should be/, () => embedder.embed(["a", 5])],
      [/^texts\[0\] should be/, () => embedder.embed([1, 2])],
      [/^texts\[0\] is empty/, () => embedder.embed([[]])],
      [/^texts\[0\]\[1\]/, () => embedder.embed([[1, -2]])],
      [/131/, () => embedder.embed([[131]])],
      [/^pooling/, () => embedder.embed("a", { pooling: "max" })],
      [/^normalize/, () => embedder.embed("a", { normalize: 1 })],
      [/^onProgress/, () => embedder.embed("a", { onProgress: 1 })],
      [/^signal/, () => embedder.embed("a", { signal: 1 })],
      [/^options/, () => embedder.embed("a", null)],
      [/^tokens is empty/, () => embedder.hidden([])],
      [/^tokens\[1\] is empty/, () => embedder.hidden([[1], []])],
      [/131/, () => embedder.hidden([[1, 131]])],
      [/no chat template/, () => embedder.tokenizer.applyChatTemplate([{ role: "user", content: "hi" }])],
    ]);
    outcomes.push((await embedder.embed("a")).dims, (await embedder.embed([])).dims);
    await embedder.dispose();
    return outcomes;
  });
  assert.deepEqual(outcomes, [[1, 48], [0, 48]]);
});

test("what is wrong is said with its name, and the model goes on: classifiers of texts", async () => {
  const outcomes = await page.evaluate(async () => {
    const classifier = await TextClassifier.load(await source("bert"), { engine });
    const outcomes = await unexpected([
      [/^texts should be/, () => classifier.classify(5)],
      [/^texts\[0\] should be/, () => classifier.classify([["a", "b", "c"]])],
      [/^texts\[0\]\[1\] should be/, () => classifier.classify([["a", 1]])],
      [/^texts\[0\] should be/, () => classifier.classify([new Uint32Array(2)])],
      [/^topK/, () => classifier.classify(["a"], { topK: 0 })],
      [/131/, () => classifier.logits([131])],
    ]);
    const [alone, one] = [await classifier.classify(["a"]), await classifier.classify("a")];
    outcomes.push(JSON.stringify([one]) === JSON.stringify(alone), (await classifier.classify([])).length);
    await classifier.dispose();
    outcomes.push((await failureOf(() => classifier.classify([]))).code);
    return outcomes;
  });
  assert.deepEqual(outcomes, [true, 0, "disposed"]);
});

test("what is wrong is said with its name, and the model goes on: encoder-decoders", async () => {
  const outcomes = await page.evaluate(async () => {
    const lm = await Seq2SeqLM.load(await source("t5"), { engine });
    const outcomes = await unexpected([
      [/^the prompt is empty/, () => lm.generate("")],
      [/messages/, () => lm.generate([{ role: "user", content: "hi" }])],
      [/^prompt\[0\]/, () => lm.generate([-1])],
      [/131/, () => lm.generate([131])],
      [/^beams/, () => lm.generate("a", { beams: 0 })],
      [/^beams/, () => lm.generate("a", { beams: 1.5 })],
      [/^beams is 17; 16/, () => lm.generate("a", { beams: 17 })],
      [/^beams.*temperature/, () => lm.generate("a", { beams: 2, temperature: 0.5 })],
      [/^beams.*logprobs/, () => lm.generate("a", { beams: 2, logprobs: 1 })],
      [/^topK/, () => lm.generate("a", { beams: 2, topK: 3 })],
      [/^topP/, () => lm.generate("a", { beams: 2, topP: 0.5 })],
      [/^minP/, () => lm.generate("a", { beams: 2, minP: 0.1 })],
      [/^lengthPenalty/, () => lm.generate("a", { lengthPenalty: 2 })],
      [/^earlyStopping/, () => lm.generate("a", { beams: 2, earlyStopping: "often" })],
      [/^temperature/, () => lm.generate("a", { temperature: -1 })],
      [/^tokens and decoderTokens.*2 and 1/, () => lm.logits([[5], [6]], [[0]])],
      [/^decoderTokens is empty/, () => lm.logits([[5]], [[]])],
      [/131/, () => lm.logits([[5]], [[131]])],
    ]);
    outcomes.push((await lm.generate("a", { maxTokens: 2, ignoreEnd: true })).tokens.length);
    await lm.dispose();
    return outcomes;
  });
  assert.deepEqual(outcomes, [2]);
});

test("what is wrong is said with its name, and the model goes on: matchers", async () => {
  const outcomes = await page.evaluate(async () => {
    const matcher = await ImageTextMatcher.load(await source("clip"), { engine });
    const image = pattern(3, 3);
    const pixels = { data: new Float32Array(3 * 48 * 48), dims: [1, 3, 48, 48] };
    const outcomes = await unexpected([
      [/^labels is empty/, () => matcher.classify(image, [])],
      [/^labels should be/, () => matcher.classify(image, "cat")],
      [/^labels\[1\]/, () => matcher.classify(image, ["a", 1])],
      [/^template/, () => matcher.classify(image, ["a"], { template: "a photo" })],
      [/^template/, () => matcher.classify(image, ["a"], { template: 1 })],
      [/^images\[1\]/, () => matcher.classify([image, 5], ["a"])],
      [/131/, () => matcher.embedText([[131]])],
      [/dims/, () => matcher.embedImage({ data: new Float32Array(3), dims: [3] })],
      [/channels/, () => matcher.embedImage({ data: new Float32Array(4 * 48 * 48), dims: [1, 4, 48, 48] })],
      [/^tokens is empty/, () => matcher.logits(pixels, [])],
      [/^pixels/, () => matcher.logits(null, [[1]])],
    ]);
    outcomes.push((await matcher.classify(image, ["a"])).length, (await matcher.embedImage([])).dims, (await matcher.embedText([])).dims);
    await matcher.dispose();
    return outcomes;
  });
  assert.deepEqual(outcomes, [1, [0, 40], [0, 40]]);
});

test("without tokenizer.json ids work, and what needs it says what is missing", async () => {
  const outcomes = await page.evaluate(async () => {
    const none = { "tokenizer.json": null };
    const embedder = await TextEmbedder.load(await source("bert", none), { engine });
    const classifier = await TextClassifier.load(await source("bert", none), { engine });
    const lm = await Seq2SeqLM.load(await source("t5", none), { engine });
    const matcher = await ImageTextMatcher.load(await source("clip", { ...none, "preprocessor_config.json": null }), { engine });
    const failures = [];
    for (const work of [
      () => embedder.embed("a"), () => classifier.classify(["a"]), () => lm.generate("a"), () => matcher.embedText("a"),
      () => lm.tokenizer.encode("a"), () => matcher.embedImage(pattern(9, 9)),
    ]) failures.push(await failureOf(async () => work()));
    const pixels = { data: new Float32Array(3 * 48 * 48), dims: [1, 3, 48, 48] };
    const dims = [
      (await embedder.embed([[1, 9, 2]])).dims, (await classifier.logits([1, 9, 2])).dims,
      [(await lm.generate([9, 2], { maxTokens: 3, ignoreEnd: true })).tokens.length], (await matcher.logits(pixels, [[1, 9, 130]])).dims,
    ];
    await Promise.all([embedder, classifier, lm, matcher].map((model) => model.dispose()));
    return { failures, dims };
  });
  assert.deepEqual(outcomes.dims, [[1, 48], [1, 5], [3], [1, 1]]);
  outcomes.failures.forEach(({ code, message }, at) => {
    assert.equal(code, "missing-file", message);
    assert.match(message, at === 5 ? /preprocessor_config\.json/ : /tokenizer\.json/);
  });
});

test("tokens cross both ways, with and without the special ones", async () => {
  const { ids, bare, text, special } = await page.evaluate(async () => {
    const lm = await Seq2SeqLM.load(await source("bart"), { engine });
    const ids = await lm.tokenizer.encode("the dog");
    const answers = {
      ids: Array.from(ids),
      bare: Array.from(await lm.tokenizer.encode("the dog", { addSpecial: false })),
      text: await lm.tokenizer.decode(ids),
      special: await lm.tokenizer.decode(ids, { skipSpecial: false }),
    };
    await lm.dispose();
    return answers;
  });
  assert.deepEqual(ids, [1, ...bare, 2]);
  assert.equal(text, "the dog");
  assert.match(special, /\[FIRST\].*the dog.*\[LAST\]/);
});

test("texts that are too long are cut where the checkpoint says", async () => {
  const { short, long, longer, classes } = await page.evaluate(async () => {
    const files = { "tokenizer_config.json": JSON.stringify({ model_max_length: 12 }) };
    const embedder = await TextEmbedder.load(await source("bert", files), { engine });
    const embed = async (count) => Array.from((await embedder.embed("dog ".repeat(count))).data);
    const classifier = await TextClassifier.load(await source("bert", files), { engine });
    const [classes] = await classifier.classify([["cat ".repeat(100), "dog ".repeat(100)]]);
    const answers = { short: await embed(5), long: await embed(10), longer: await embed(1000), classes: classes.length };
    await Promise.all([embedder.dispose(), classifier.dispose()]);
    return answers;
  });
  assertNear(longer, long, "a text of 1,000 words", 1e-6);
  assert.notDeepEqual(short, long);
  assert.equal(classes, 5);
});

test("an abort ends what runs, and lets nothing begin", async () => {
  const outcomes = await page.evaluate(async () => {
    const embedder = await TextEmbedder.load(await source("bert"), { engine });
    const lm = await Seq2SeqLM.load(await source("t5"), { engine });
    const matcher = await ImageTextMatcher.load(await source("clip"), { engine });
    const stopped = { signal: AbortSignal.abort() };
    const outcomes = [];
    for (const work of [
      () => embedder.embed("a", stopped), () => embedder.hidden([1], stopped), () => lm.logits([1], [0], stopped),
      () => matcher.embedText("a", stopped), () => matcher.embedImage(pattern(3, 3), stopped), () => matcher.classify(pattern(3, 3), ["a"], stopped),
    ]) outcomes.push((await failureOf(work)).code);
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    outcomes.push((await failureOf(() => embedder.embed(manyTexts(1000), { signal: controller.signal, onProgress }))).code);
    await Promise.all([embedder, lm, matcher].map((model) => model.dispose()));
    return outcomes;
  });
  assert.deepEqual(outcomes, Array(7).fill("aborted"));
});

test("a generation that is aborted keeps what was made; a search that has not ended has chosen nothing", async () => {
  const { none, some, several, whole } = await page.evaluate(async () => {
    // On one thread the abort is heard before the next token.
    const inPage = await Engine.create({ device: "cpu", worker: false });
    const lm = await Seq2SeqLM.load(await source("t5"), { engine: inPage });
    const ending = new AbortController();
    const generation = lm.generate("the dog", { ignoreEnd: true, signal: ending.signal });
    let seen = 0;
    for await (const _ of generation) if (++seen === 3) ending.abort();
    const searching = new AbortController();
    const search = lm.generate("the dog", { ignoreEnd: true, beams: 4, signal: searching.signal });
    for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setTimeout(resolve));
    searching.abort();
    const answers = [await lm.generate("a", { signal: AbortSignal.abort() }), await generation, await search];
    const as = ({ finishReason, tokens }) => ({ finishReason, tokens: Array.from(tokens) });
    const [none, some, several] = answers.map(as);
    const whole = as(await lm.generate("the dog", { ignoreEnd: true, maxTokens: some.tokens.length }));
    await inPage.dispose();
    return { none, some, several, whole };
  });
  assert.deepEqual(none, { finishReason: "aborted", tokens: [] });
  assert.equal(some.finishReason, "aborted");
  assert(some.tokens.length >= 3);
  assert.deepEqual(some.tokens, whole.tokens, "what a generation of so many tokens makes");
  assert.deepEqual(several, { finishReason: "aborted", tokens: [] });
});

test("a model's end ends what runs and what waits, and its kept vectors with it", async () => {
  const codes = await page.evaluate(async () => {
    const embedder = await TextEmbedder.load(await source("bert"), { engine });
    const lm = await Seq2SeqLM.load(await source("t5"), { engine });
    const matcher = await ImageTextMatcher.load(await source("clip"), { engine });
    await matcher.embedText("a");
    const running = [
      failureOf(() => embedder.embed(manyTexts(1000))), failureOf(() => embedder.hidden([1])),
      failureOf(async () => lm.generate("a", { ignoreEnd: true })), failureOf(() => lm.logits([1], [0])),
    ];
    await Promise.all([embedder, lm, matcher].map((model) => model.dispose()));
    const after = [
      failureOf(() => embedder.embed("a")), failureOf(async () => lm.generate("a")), failureOf(() => matcher.embedText("a")),
      failureOf(() => matcher.tokenizer.encode("a")),
    ];
    return (await Promise.all([...running, ...after])).map(({ code }) => code);
  });
  assert.deepEqual(codes, Array(8).fill("disposed"));
});

test("a killed worker takes what waits with it, and the models come back", async () => {
  const { failed, same } = await page.evaluate(async () => {
    const engine = await Engine.create({ device: "cpu" });
    const embedder = await TextEmbedder.load(await source("bert", sentenceFiles("cls")), { engine });
    const matcher = await ImageTextMatcher.load(await source("siglip"), { engine });
    const answers = async () => [
      Array.from((await embedder.embed("the dog")).data), await matcher.classify(pattern(9, 9), ["dog", "cat"]),
    ];
    const before = JSON.stringify(await answers());
    let victim;
    watchTexts("embed", (worker) => { victim ??= worker; victim.terminate(); });
    const { code: failed } = await failureOf(() => embedder.embed(manyTexts(1000)));
    const same = JSON.stringify(await answers()) === before;
    await engine.dispose();
    return { failed, same };
  });
  assert.equal(failed, "internal");
  assert(same);
});

test("calls on one model queue up in order, and a long list leaves room for others", async () => {
  const ended = await page.evaluate(async () => {
    const embedder = await TextEmbedder.load(await source("bert"), { engine });
    const ended = [];
    const call = (name, work) => work.then(() => ended.push(name));
    await Promise.all([
      call("many", embedder.embed(manyTexts(500))), call("one", embedder.embed("a")), call("states", embedder.hidden([1, 2])),
    ]);
    await embedder.dispose();
    return ended;
  });
  assert.deepEqual(ended, ["one", "states", "many"]);
});
