// TextEmbedder, TextClassifier, Seq2SeqLM and ImageTextMatcher in Chromium: the short ways beside the raw ones, on both
// devices, and what a caller may rely on.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { tiny } from "./api-models.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { startServer } from "./support/server.mjs";
import { openTextPage } from "./support/text-browser.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TOLERANCE = 1e-4;

let browser, server;
before(async () => {
  browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  server = await startServer({ mounts: { "/": ROOT }, isolated: false });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

function assertNear(got, expected, what, tolerance = TOLERANCE) {
  assert.equal(got.length, expected.length, what);
  const worst = Math.max(...got.map((value, at) => Math.abs(value - expected[at])));
  assert(worst <= tolerance, `${what}: off by ${worst}`);
}

const rowsOf = ({ data, dims }) => {
  const width = data.length / dims[0];
  return Array.from({ length: dims[0] }, (_, row) => data.slice(row * width, (row + 1) * width));
};
const lengthOf = (vector) => Math.hypot(...vector);
const unit = (vector) => vector.map((value) => value / lengthOf(vector));
const softmax = (logits) => {
  const exponents = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
  return exponents.map((value) => value / exponents.reduce((a, b) => a + b));
};
/** Scores in the labels' order. */
const scoresOf = (answer) => answer.toSorted((a, b) => a.index - b.index).map(({ score }) => score);

for (const device of ["cpu", "webgpu"]) {
  describe(`on ${device}`, () => {
    let page;
    before(async () => { page = await openTextPage(browser, server, device); });
    after(() => page?.close());

    test("a text's vector is the mean or the first of its tokens' states, or the pooler's, of unit length", async () => {
      const { ids, hidden, ...vectors } = await page.evaluate(async () => {
        const embedder = await TextEmbedder.load(await source("bert"), { engine });
        const text = "The cat sleeps, this dog runs!";
        const ids = await embedder.tokenizer.encode(text);
        const embed = async (texts, options) => plain(await embedder.embed(texts, options));
        const answers = {
          ids: Array.from(ids),
          hidden: plain(await embedder.hidden([ids])),
          mean: await embed(text, { pooling: "mean" }),
          meanOfIds: await embed([ids], { pooling: "mean" }),
          long: await embed([text], { pooling: "mean", normalize: false }),
          cls: await embed(text, { pooling: "cls" }),
          pooler: await embed(text, { pooling: "pooler", normalize: false }),
        };
        await embedder.dispose();
        return answers;
      });
      assert.deepEqual(hidden.dims, [1, ids.length, 48]);
      const states = rowsOf({ data: hidden.data, dims: [ids.length] });
      const mean = states[0].map((_, at) => states.reduce((sum, state) => sum + state[at], 0) / states.length);
      for (const { dims } of Object.values(vectors)) assert.deepEqual(dims, [1, 48]);
      assertNear(vectors.long.data, mean, "the mean");
      assertNear(vectors.mean.data, unit(mean), "the mean, of unit length");
      assertNear(vectors.meanOfIds.data, vectors.mean.data, "of the text's own ids");
      assertNear(vectors.cls.data, unit(states[0]), "the first");
      assert(vectors.pooler.data.every((value) => Math.abs(value) <= 1), "tanh");
      assert.notDeepEqual(vectors.pooler.data, vectors.cls.data);
    });

    test("many texts have the vectors that each has alone, and their number is told as it grows", async () => {
      const { together, alone, seen } = await page.evaluate(async () => {
        const embedder = await TextEmbedder.load(await source("bert"), { engine });
        const texts = manyTexts(150);
        const seen = [];
        const together = plain(await embedder.embed(texts, { onProgress: (done, total) => seen.push([done, total]) }));
        const alone = [];
        for (const at of [0, 1, 63, 64, 149]) alone.push([at, Array.from((await embedder.embed(texts[at])).data)]);
        await embedder.dispose();
        return { together, alone, seen };
      });
      assert.deepEqual(together.dims, [150, 48]);
      const rows = rowsOf(together);
      for (const [at, vector] of alone) {
        assertNear(rows[at], vector, `text ${at}`);
        assertNear([lengthOf(vector)], [1], `the length of ${at}`);
      }
      assert.notDeepEqual(rows[0], rows[1]);
      assert(seen.length > 1);
      assert.deepEqual(seen, seen.toSorted(([a], [b]) => a - b));
      assert.deepEqual(seen.at(-1), [150, 150]);
    });

    test("rows of different lengths do not touch each other's states, and are zero where they are padded", async () => {
      const { together, alone } = await page.evaluate(async () => {
        const embedder = await TextEmbedder.load(await source("bert"), { engine });
        const rows = [[1, 9, 10, 11, 12, 2], [1, 13, 2]];
        const together = plain(await embedder.hidden(rows));
        const alone = [];
        for (const row of rows) alone.push(plain(await embedder.hidden(row)));
        await embedder.dispose();
        return { together, alone };
      });
      assert.deepEqual(together.dims, [2, 6, 48]);
      const [long, short] = rowsOf(together);
      assertNear(long, alone[0].data, "the long row");
      assertNear(short.slice(0, 3 * 48), alone[1].data, "the short row");
      assert(short.slice(3 * 48).every((value) => value === 0));
    });

    test("a text's classes are the softmax of its logits, best first, and a pair is no single text", async () => {
      const { labels, single, five, pairs, logits, top } = await page.evaluate(async () => {
        const classifier = await TextClassifier.load(await source("bert"), { engine });
        const { labels } = classifier;
        const ids = await classifier.tokenizer.encode("the dog runs");
        const answers = {
          labels,
          single: await classifier.classify(["the dog runs", "a cat"]),
          five: await classifier.classify(["the dog runs"], { topK: 1000 }),
          pairs: await classifier.classify([["the dog runs", "a cat"], ["a cat", "the dog runs"]]),
          logits: plain(await classifier.logits([ids])),
          top: await classifier.classify(["a"], { topK: 2 }),
        };
        await classifier.dispose();
        return answers;
      });
      assert.deepEqual(labels, ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3", "LABEL_4"]);
      assert.deepEqual(logits.dims, [1, 5]);
      assertNear(scoresOf(single[0]), softmax(logits.data), "the scores");
      for (const answer of [...single, ...five, ...pairs]) {
        const scores = answer.map(({ score }) => score);
        assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
        for (const { label, index } of answer) assert.equal(label, labels[index]);
      }
      assert.deepEqual(five[0].map(({ index }) => index), single[0].map(({ index }) => index));
      assert.equal(top[0].length, 2);
      const [ab, ba] = pairs.map(scoresOf);
      for (const other of [ba, ...single.map(scoresOf)]) {
        assert(other.some((score, at) => Math.abs(score - ab[at]) > 1e-3), "the pair is like something else");
      }
    });

    for (const [family, start] of [["t5", 0], ["bart", 2]]) {
      test(`${family} writes what its logits say, and iterates to the same tokens`, async () => {
        const { tokens, result, logits } = await page.evaluate(async ({ family, start }) => {
          const lm = await Seq2SeqLM.load(await source(family), { engine });
          const prompt = await lm.tokenizer.encode("the red house is a photo");
          const generation = lm.generate("the red house is a photo", { maxTokens: 8, ignoreEnd: true });
          const tokens = [];
          for await (const token of generation) tokens.push(token);
          const { text, tokens: ids, finishReason, stats } = await generation;
          const logits = plain(await lm.logits([prompt], [[start, ...ids.slice(0, 7)]]));
          await lm.dispose();
          return { tokens, result: { text, ids: Array.from(ids), finishReason, stats }, logits };
        }, { family, start });
        assert.deepEqual(logits.dims, [1, 8, 131]);
        const best = rowsOf({ data: logits.data, dims: [8] }).map((row) => row.indexOf(Math.max(...row)));
        assert.deepEqual(result.ids, best);
        assert.deepEqual(tokens.map(({ id }) => id), best);
        assert.equal(tokens.map(({ text }) => text).join(""), result.text);
        assert.equal(result.finishReason, "length");
        assert.equal(result.stats.generatedTokens, 8);
      });

      test(`${family} with several beams writes what a beam search over its logits finds`, async () => {
        const outcomes = await page.evaluate(async ({ family, start }) => {
          const lm = await Seq2SeqLM.load(await source(family), { engine });
          const prompt = [20, 21, 22, 23, 2];
          const outcomes = [];
          for (const [beams, maxTokens] of [[1, 4], [3, 5], [16, 4]]) {
            const generation = lm.generate(prompt, { beams, maxTokens, ignoreEnd: true });
            const seen = [];
            for await (const { id } of generation) seen.push(id);
            const { tokens, stats } = await generation;
            const expected = await beamSearch(lm, prompt, start, beams, maxTokens);
            outcomes.push({ beams, tokens: Array.from(tokens), seen, expected, rate: stats.tokensPerSecond });
          }
          await lm.dispose();
          return outcomes;
        }, { family, start });
        for (const { beams, tokens, seen, expected, rate } of outcomes) {
          assert.deepEqual(tokens, expected, `${beams} beams`);
          assert.deepEqual(seen, tokens);
          assert(rate > 0);
        }
      });
    }

    for (const family of ["clip", "siglip"]) {
      test(`${family} ranks labels as its logits of the same image and texts do`, async () => {
        const { answer, other, embeds, logits, fromVectors } = await page.evaluate(async (family) => {
          const matcher = await ImageTextMatcher.load(await source(family), { engine });
          const image = pattern(48, 48);
          const labels = ["cat", "red house", "bird"];
          const template = "a photo of the {}";
          const answer = await matcher.classify(image, labels, { template });
          const other = await matcher.classify(image, labels);
          const rows = [];
          for (const label of labels) rows.push(await matcher.tokenizer.encode(template.replace("{}", label)));
          // The processor of the tests maps a byte to [-1, 1].
          const pixels = { data: new Float32Array(3 * 48 * 48), dims: [1, 3, 48, 48] };
          for (let at = 0; at < 48 * 48; at++) {
            for (let channel = 0; channel < 3; channel++)
              pixels.data[channel * 48 * 48 + at] = image.data[4 * at + channel] / 127.5 - 1;
          }
          const embeds = {
            image: plain(await matcher.embedImage(image)),
            images: plain(await matcher.embedImage([image, pattern(70, 50)])),
            pixels: plain(await matcher.embedImage(pixels)),
            text: plain(await matcher.embedText(labels.map((label) => template.replace("{}", label)))),
            ids: plain(await matcher.embedText(rows)),
          };
          const logits = plain(await matcher.logits(pixels, rows));
          const fromVectors = plain(await matcher.logits(pixels, [rows[2], rows[0]]));
          await matcher.dispose();
          return { answer, other, embeds, logits, fromVectors };
        }, family);
        for (const { data, dims } of Object.values(embeds)) {
          for (const row of rowsOf({ data, dims })) assertNear([lengthOf(row)], [1], "the length");
        }
        assertNear(embeds.pixels.data, embeds.image.data, "pixels");
        assertNear(rowsOf(embeds.images)[0], embeds.image.data, "the first of two");
        assert.deepEqual(logits.dims, [1, 3]);
        assertNear(fromVectors.data, [logits.data[2], logits.data[0]], "logits of two texts", 1e-3);
        const labels = ["cat", "red house", "bird"];
        for (const { label, index } of [...answer, ...other]) assert.equal(label, labels[index]);
        const scores = answer.map(({ score }) => score);
        assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
        assert.notDeepEqual(scoresOf(other), scoresOf(answer));
        if (family === "clip") {
          assertNear(embeds.ids.data, embeds.text.data, "ids of the texts");
          assertNear(scoresOf(answer), softmax(logits.data), "scores");
        } else {
          // Its texts are filled up to 16 tokens; these ids are not.
          const sum = scores.reduce((a, b) => a + b);
          assert(scores.every((score) => score > 0 && score < 1) && Math.abs(sum - 1) > 1e-6, `${scores}`);
        }
      });
    }

    test("a score of SigLIP's does not hang on the other labels", async () => {
      const { alone, among } = await page.evaluate(async () => {
        const matcher = await ImageTextMatcher.load(await source("siglip"), { engine });
        const image = pattern(48, 48);
        const alone = await matcher.classify(image, ["dog"]);
        const among = await matcher.classify(image, ["cat", "dog", "bird"]);
        await matcher.dispose();
        return { alone, among };
      });
      assertNear([among.find(({ label }) => label === "dog").score], [alone[0].score], "dog", 1e-6);
    });
  });
}

describe("what a caller may rely on", () => {
  let page;
  before(async () => { page = await openTextPage(browser, server, "cpu"); });
  after(() => page?.close());

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

  test("what is wrong is said with its name", async () => {
    const outcomes = await page.evaluate(async () => {
      const embedder = await TextEmbedder.load(await source("bert"), { engine });
      const classifier = await TextClassifier.load(await source("bert"), { engine });
      const lm = await Seq2SeqLM.load(await source("t5"), { engine });
      const matcher = await ImageTextMatcher.load(await source("clip"), { engine });
      const image = pattern(3, 3);
      const pixels = { data: new Float32Array(3 * 48 * 48), dims: [1, 3, 48, 48] };
      const wrong = [
        [/^texts is empty/, () => embedder.embed([])],
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
        [/^texts should be/, () => classifier.classify("a")],
        [/^texts\[0\] should be/, () => classifier.classify([["a", "b", "c"]])],
        [/^texts\[0\]\[1\] should be/, () => classifier.classify([["a", 1]])],
        [/^texts\[0\] should be/, () => classifier.classify([new Uint32Array(2)])],
        [/^topK/, () => classifier.classify(["a"], { topK: 0 })],
        [/131/, () => classifier.logits([131])],
        [/^the prompt is empty/, () => lm.generate("")],
        [/messages/, () => lm.generate([{ role: "user", content: "hi" }])],
        [/^prompt\[0\]/, () => lm.generate([-1])],
        [/131/, () => lm.generate([131])],
        [/^beams/, () => lm.generate("a", { beams: 0 })],
        [/^beams/, () => lm.generate("a", { beams: 1.5 })],
        [/^beams is 17; 16/, () => lm.generate("a", { beams: 17 })],
        [/^beams.*temperature/, () => lm.generate("a", { beams: 2, temperature: 0.5 })],
        [/^beams.*logprobs/, () => lm.generate("a", { beams: 2, logprobs: 1 })],
        [/^temperature/, () => lm.generate("a", { temperature: -1 })],
        [/^tokens has 2 rows, and decoderTokens 1/, () => lm.logits([[5], [6]], [[0]])],
        [/^decoderTokens is empty/, () => lm.logits([[5]], [[]])],
        [/131/, () => lm.logits([[5]], [[131]])],
        [/^labels is empty/, () => matcher.classify(image, [])],
        [/^labels should be/, () => matcher.classify(image, "cat")],
        [/^labels\[1\]/, () => matcher.classify(image, ["a", 1])],
        [/^template/, () => matcher.classify(image, ["a"], { template: "a photo" })],
        [/^template/, () => matcher.classify(image, ["a"], { template: 1 })],
        [/^images\[1\]/, () => matcher.classify([image, 5], ["a"])],
        [/^images is empty/, () => matcher.embedImage([])],
        [/^text is empty/, () => matcher.embedText([])],
        [/131/, () => matcher.embedText([[131]])],
        [/dims/, () => matcher.embedImage({ data: new Float32Array(3), dims: [3] })],
        [/channels/, () => matcher.embedImage({ data: new Float32Array(4 * 48 * 48), dims: [1, 4, 48, 48] })],
        [/^tokens is empty/, () => matcher.logits(pixels, [])],
        [/^pixels/, () => matcher.logits(null, [[1]])],
      ];
      const outcomes = [];
      for (const [words, work] of wrong) {
        const failure = await failureOf(async () => work());
        if (failure.code !== "invalid-argument" || !words.test(failure.message)) outcomes.push(`${words}: ${failure.code}: ${failure.message}`);
      }
      // And all of them go on.
      outcomes.push((await embedder.embed("a")).dims, (await classifier.classify(["a"])).length, await classifier.classify([]));
      outcomes.push((await lm.generate("a", { maxTokens: 2, ignoreEnd: true })).tokens.length, (await matcher.classify(image, ["a"])).length);
      await Promise.all([embedder, classifier, lm, matcher].map((model) => model.dispose()));
      return outcomes;
    });
    assert.deepEqual(outcomes, [[1, 48], 1, [], 2, 1]);
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

  test("an abort ends what runs, and what was generated stays", async () => {
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
      const before = await lm.generate("a", stopped);
      const ending = new AbortController();
      const generation = lm.generate("the dog", { ignoreEnd: true, signal: ending.signal });
      let seen = 0;
      for await (const _ of generation) if (++seen === 3) ending.abort();
      const { finishReason, tokens } = await generation;
      const beams = lm.generate("the dog", { ignoreEnd: true, beams: 4 });
      for await (const _ of beams) break;
      outcomes.push(before.finishReason, finishReason, tokens.length >= 3);
      await Promise.all([embedder, lm, matcher].map((model) => model.dispose()));
      return outcomes;
    });
    assert.deepEqual(outcomes, [...Array(7).fill("aborted"), "aborted", "aborted", true]);
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
      const connection = await engine.connect();
      watchTexts("embed", () => connection.die(new AzulejoError("internal", "ended by the test")));
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
});
