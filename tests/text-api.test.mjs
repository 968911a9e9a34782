// TextEmbedder, TextClassifier, Seq2SeqLM and ImageTextMatcher in Chromium, on both devices: the short ways beside the raw
// ones.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { assertNear } from "./support/near.mjs";
import { startServer } from "./support/server.mjs";
import { openTextPage } from "./support/text-browser.mjs";

deadline(10);

const ROOT = fileURLToPath(new URL("..", import.meta.url));

let browser, server;
before(async () => {
  browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  server = await startServer({ mounts: { "/": ROOT }, isolated: false });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

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

    test("every token of a text shares out its attention over all of them, in each layer and head", async () => {
      const { ids, all, last, failure } = await page.evaluate(async () => {
        const embedder = await TextEmbedder.load(await source("bert"), { engine });
        const text = "The cat sleeps, this dog runs!";
        const answers = {
          ids: Array.from(await embedder.tokenizer.encode(text)),
          all: plain(await embedder.attentionMaps(text)),
          last: plain(await embedder.attentionMaps(await embedder.tokenizer.encode(text), { layer: 2 })),
          failure: await failureOf(() => embedder.attentionMaps(text, { layer: 3 })),
        };
        await embedder.dispose();
        return answers;
      });
      const tokens = ids.length;
      assert.deepEqual([all.dims, last.dims], [[3, 4, tokens, tokens], [4, tokens, tokens]]);
      const shares = rowsOf({ data: all.data, dims: [3 * 4 * tokens] });
      assertNear(shares.map((row) => row.reduce((sum, share) => sum + share)), shares.map(() => 1), "sums");
      assert(shares.some((row, at) => row.some((share, to) => to > at % tokens && share > 0.01)), "later tokens are seen");
      assertNear(last.data, all.data.slice(-last.data.length), "one layer");
      assert.equal(failure.code, "invalid-argument");
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
          // Steps of so small a model may take no time that a page can see.
          assert(Number.isFinite(rate) && rate >= 0, `${rate}`);
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
