// ImageClassifier in Chromium, on both devices: every form that a picture may have, one picture and many, the raw path
// beside the short one, where the model looked, and what is wrong with what is wrong.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { AzulejoError, Engine, ImageClassifier } from "../dist/index.js";
import { tiny } from "./api-models.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { openImagesPage } from "./support/images-browser.mjs";
import { processorOf } from "./support/images-page.js";
import { startServer } from "./support/server.mjs";

deadline(10);

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TOLERANCE = 1e-5;

let browser, server, other;
before(async () => {
  browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  server = await startServer({ mounts: { "/": ROOT }, isolated: false });
  other = await startServer({ mounts: { "/": ROOT }, isolated: false });
});
after(async () => {
  await browser?.close();
  await server?.close();
  await other?.close();
});

const openPage = (device) => openImagesPage(browser, server, device, "vit");

function assertNear(got, expected, what, tolerance = TOLERANCE) {
  assert.equal(got.length, expected.length, what);
  const worst = Math.max(...got.map((value, at) => Math.abs(value - expected[at])));
  assert(worst <= tolerance, `${what}: off by ${worst}`);
}

for (const device of ["cpu", "webgpu"]) {
  describe(`on ${device}`, () => {
    let page;
    before(async () => { page = await openPage(device); });
    after(() => page?.close());

    test("every form of a picture gives the same answer", async () => {
      const answers = await page.evaluate(async () => {
        const answers = {};
        for (const [kind, input] of Object.entries(await exactKinds(pattern(70, 50)))) {
          answers[kind] = await vit.classify(input, { topK: 7 });
        }
        answers.another = await vit.classify(pattern(50, 70), { topK: 7 });
        return answers;
      });
      const { ImageData: expected, another, ...rest } = answers;
      assert.equal(Object.keys(rest).length, 15);
      for (const [kind, answer] of Object.entries(rest)) assert.deepEqual(answer, expected, kind);
      assert.notDeepEqual(another, expected);
    });

    test("a video gives its current frame", async () => {
      const [still, frame] = await page.evaluate(async () => {
        const image = pattern(64, 48);
        const pixels = async (input) => Array.from((await vit.pixels(input)).data);
        return [await pixels(image), await pixels(await videoOf(image))];
      });
      // A codec may stand between.
      assertNear(frame, still, "the frame's pixels", 0.2);
    });

    test("several images are classified as each alone, best first", async () => {
      const { together, alone, labels, none } = await page.evaluate(async () => {
        const images = Array.from({ length: 37 }, (_, at) => pattern(20 + at, 60 - at));
        const together = await vit.classify(images, { topK: 7 });
        const alone = [];
        for (const image of images) alone.push(await vit.classify(image, { topK: 7 }));
        return { together, alone, labels: vit.labels, none: await vit.classify([]) };
      });
      assert.equal(together.length, 37);
      assert.deepEqual(none, []);
      together.forEach((answer, at) => {
        const scores = answer.map(({ score }) => score);
        assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
        assertNear([scores.reduce((sum, score) => sum + score, 0)], [1], "the sum of all scores");
        for (const { label, index } of answer) assert.equal(label, labels[index]);
        assert.deepEqual(answer.map(({ index }) => index), alone[at].map(({ index }) => index));
        assertNear(scores, alone[at].map(({ score }) => score), `image ${at}`);
      });
    });

    test("five classes are told unless the caller wants others, and never more than there are", async () => {
      const counts = await page.evaluate(async () => {
        const count = async (topK) => (await vit.classify(pattern(9, 9), { topK })).length;
        return Promise.all([undefined, 1, 7, 1000].map(count));
      });
      assert.deepEqual(counts, [5, 1, 7, 7]);
    });

    test("the raw path says the same as the short one, and takes nothing from the caller", async () => {
      const { best, pixels, logits, left, short, raw } = await page.evaluate(async () => {
        const images = [pattern(70, 50), pattern(31, 90)];
        const best = await vit.classify(images, { topK: 7 });
        const pixels = await vit.pixels(images);
        const logits = await vit.logits(pixels);
        const one = await vit.pixels(images[0]);
        const [short, raw] = [await vit.features(images[0]), await vit.features(one)];
        const plain = ({ data, dims }) => ({ data: Array.from(data), dims });
        return { best, pixels: pixels.dims, logits: plain(logits), left: pixels.data.length, short: plain(short), raw: plain(raw) };
      });
      assert.deepEqual(pixels, [2, 3, 48, 48]);
      assert.equal(left, 2 * 3 * 48 * 48);
      assert.deepEqual(logits.dims, [2, 7]);
      best.forEach((answer, row) => {
        const exponents = logits.data.slice(7 * row, 7 * row + 7).map(Math.exp);
        const sum = exponents.reduce((a, b) => a + b);
        assertNear(answer.map(({ score }) => score), answer.map(({ index }) => exponents[index] / sum), `row ${row}`);
      });
      assert.deepEqual(raw.dims, [1, 10, 48]);
      assert.deepEqual(short.dims, raw.dims);
      assertNear(short.data, raw.data, "features", 1e-4);
    });

    test("attention is the class token's row of the maps, of one head or of their mean", async () => {
      const { maps, one, mean, rollout } = await page.evaluate(async () => {
        const image = pattern(70, 50);
        const plain = ({ rows, columns, values }) => ({ rows, columns, values: Array.from(values) });
        const { data, dims } = await vit.attentionMaps(await vit.pixels(image));
        return {
          maps: { data: Array.from(data), dims },
          one: plain(await vit.attention(image, { layer: 1, head: 2 })),
          mean: plain(await vit.attention(image, { layer: 1 })),
          rollout: plain(await vit.attention(image)),
        };
      });
      assert.deepEqual(maps.dims, [3, 1, 4, 10, 10]);
      const rowOf = (layer, head) => maps.data.slice((4 * layer + head) * 100, (4 * layer + head) * 100 + 10);
      const heads = [0, 1, 2, 3].map((head) => rowOf(1, head).slice(1));
      assert.deepEqual([one.rows, one.columns], [3, 3]);
      assertNear(one.values, heads[2], "head 2");
      assertNear(mean.values, heads[0].map((_, at) => heads.reduce((sum, head) => sum + head[at], 0) / 4), "the mean");
      assert.deepEqual([rollout.rows, rollout.columns, rollout.values.length], [3, 3, 9]);
      assert(rollout.values.every((value) => value > 0 && value < 1), rollout.values.join());
    });

    test("a heat map's picture is the most opaque where the model looked most", async () => {
      const { values, sizes, opaque } = await page.evaluate(async () => {
        const map = await vit.attention(pattern(70, 50), { layer: 2, head: 1 });
        const small = map.toImageData();
        const wide = map.toImageData(300, 30);
        const opaque = Array.from(small.data).filter((_, at) => at % 4 === 3);
        return { values: Array.from(map.values), sizes: [small.width, small.height, wide.width, wide.height], opaque };
      });
      assert.deepEqual(sizes, [48, 48, 300, 30]);
      const most = values.indexOf(Math.max(...values));
      const place = opaque.indexOf(Math.max(...opaque));
      assert.equal(Math.floor((place % 48) / 16) + 3 * Math.floor(place / (48 * 16)), most);
    });

    test("what is transparent lies over white", async () => {
      const [seen, expected] = await page.evaluate(async () => {
        const soft = pattern(48, 48);
        soft.data.forEach((_, at) => { if (at % 4 === 3) soft.data[at] = ((at >> 2) * 7) & 255; });
        const white = new ImageData(48, 48);
        soft.data.forEach((value, at) => {
          const alpha = soft.data[at | 3] / 255;
          white.data[at] = at % 4 === 3 ? 255 : value * alpha + 255 * (1 - alpha);
        });
        const pixels = async (input) => Array.from((await vit.pixels(input)).data);
        return [[await pixels(soft), await pixels(await writePng(soft, 6))], await pixels(white)];
      });
      seen.forEach((pixels, at) => assertNear(pixels, expected, ["bytes", "a PNG"][at], (1.01 * 2) / 255));
    });

    test("a grey picture is one with three equal channels", async () => {
      const { channels, png, bytes } = await page.evaluate(async () => {
        const grey = { data: new Uint8Array(48 * 48).map((_, at) => (at * 5) & 255), width: 48, height: 48 };
        const pixels = async (input) => Array.from((await vit.pixels(input)).data);
        const bytes = await pixels(grey);
        return { bytes, png: await pixels(await writePng(grey, 0)), channels: [0, 1, 2].map((at) => bytes.slice(2304 * at, 2304 * (at + 1))) };
      });
      assert.deepEqual(png, bytes);
      assert.deepEqual(channels[1], channels[0]);
      assert.deepEqual(channels[2], channels[0]);
      assertNear(channels[0].slice(0, 3), [-1, 5 / 127.5 - 1, 10 / 127.5 - 1], "the first pixels");
    });
  });
}

describe("what a caller may rely on", () => {
  let page;
  before(async () => { page = await openPage("cpu"); });
  after(() => page?.close());

  test("what is passed in stays open and whole", async () => {
    const left = await page.evaluate(async () => {
      const image = pattern(30, 20);
      const bitmap = await createImageBitmap(image);
      const frame = new VideoFrame(canvasOf(image), { timestamp: 0 });
      for (const input of [image, bitmap, frame]) {
        await vit.classify(input);
        await vit.classifyPatches(input, { size: 10 });
        await vit.attention(input);
      }
      const left = [image.data.length, bitmap.width, frame.codedWidth];
      frame.close();
      return left;
    });
    assert.deepEqual(left, [2400, 30, 30]);
  });

  test("what is wrong with a picture is said, and the model goes on", async () => {
    const outcomes = await page.evaluate(async (otherOrigin) => {
      const outcomes = [];
      for (const [what, [code, words, input]] of Object.entries(await badPictures(otherOrigin))) {
        for (const [how, work] of Object.entries({
          classify: () => vit.classify(input),
          "classify, second of two": () => vit.classify([pattern(3, 3), input]),
          classifyPatches: () => vit.classifyPatches(input),
          attention: () => vit.attention(input),
          features: () => vit.features(input),
        })) {
          const failure = await failureOf(work);
          if (failure.code !== code || !words.test(failure.message)) outcomes.push({ what, how, ...failure });
        }
      }
      outcomes.push((await vit.classify(pattern(3, 3))).length);
      return outcomes;
    }, `${other.url}tests/reference/images/inputs/tiny-grey.png`);
    assert.deepEqual(outcomes, [5]);
  });

  test("which of several images is wrong is said", async () => {
    const { message } = await page.evaluate(() => failureOf(() => vit.classify([pattern(3, 3), new Blob(["x"])])));
    assert.match(message, /^images\[1\]/);
  });

  test("options and tensors that are wrong are refused, each with its name", async () => {
    const outcomes = await page.evaluate(async () => {
      const image = pattern(3, 3);
      const tensor = (dims, length = dims.reduce((a, b) => a * b, 1)) => ({ data: new Float32Array(length), dims });
      const wrong = {
        "topK 0": [/^topK/, () => vit.classify(image, { topK: 0 })],
        "topK 1.5": [/^topK/, () => vit.classifyPatches(image, { topK: 1.5 })],
        "size 0": [/^size/, () => vit.classifyPatches(image, { size: 0 })],
        "stride 0": [/^stride/, () => vit.classifyPatches(image, { stride: 0 })],
        "batch 0": [/^batch/, () => vit.classifyPatches(image, { batch: 0 })],
        "onProgress": [/^onProgress/, () => vit.classifyPatches(image, { onProgress: 1 })],
        "signal": [/^signal/, () => vit.classify(image, { signal: true })],
        "too many patches": [/stride/, () => vit.classifyPatches({ data: new Uint8Array(1e7), width: 1e4, height: 1e3 }, { size: 1 })],
        "a layer that is not there": [/layer/, () => vit.attention(image, { layer: 3 })],
        "a head that is not there": [/head/, () => vit.attention(image, { layer: 0, head: 4 })],
        "head \"first\"": [/^head/, () => vit.attention(image, { head: "first" })],
        "three dimensions": [/dims/, () => vit.logits(tensor([3, 48, 48]))],
        "dimensions of another size": [/numbers/, () => vit.logits(tensor([1, 3, 48, 48], 5))],
        "dimensions of none": [/dims/, () => vit.features(tensor([0, 3, 48, 48]))],
        "doubles": [/Float32Array/, () => vit.attentionMaps({ data: new Float64Array(6912), dims: [1, 3, 48, 48] })],
        "four channels": [/channels/, () => vit.logits(tensor([1, 4, 48, 48]))],
        "a fifth of a patch": [/./, () => vit.logits(tensor([1, 3, 3, 3]))],
        "a label that is not there": [/"cat"/, async () => (await vit.classifyPatches(image)).toImageData({ label: "cat" })],
      };
      const outcomes = [];
      for (const [what, [words, work]] of Object.entries(wrong)) {
        const failure = await failureOf(work);
        if (failure.code !== "invalid-argument" || !words.test(failure.message)) outcomes.push({ what, ...failure });
      }
      return outcomes;
    });
    assert.deepEqual(outcomes, []);
  });

  test("no images have no pixels, and no classes", async () => {
    const { dims, classes } = await page.evaluate(async () => ({ dims: (await vit.pixels([])).dims, classes: await vit.classify([]) }));
    assert.deepEqual(dims, [0, 3, 48, 48]);
    assert.deepEqual(classes, []);
  });

  test("a model for something else is refused before its weights come, with the class that takes it", async () => {
    const { causal, image, read } = await page.evaluate(async (bytes) => {
      let read = 0;
      const onProgress = ({ loadedBytes }) => { read = Math.max(read, loadedBytes); };
      const source = { "model.gguf": new Uint8Array(bytes) };
      return {
        causal: await failureOf(() => ImageClassifier.load(source, { engine, onProgress })),
        read,
        image: await failureOf(async () => CausalLM.load(await sourceOf("vit"), { engine })),
      };
    }, Array.from(tiny()));
    assert.equal(causal.code, "invalid-argument");
    assert.match(causal.message, /causal-lm.*CausalLM/);
    assert.equal(read, 0);
    assert.equal(image.code, "invalid-argument");
    assert.match(image.message, /image-classification.*ImageClassifier/);
  });

  test("without preprocessor_config.json the raw path works, and what needs it says what is missing", async () => {
    const { failure, dims } = await page.evaluate(async () => {
      const vit = await ImageClassifier.load(await sourceOf("vit", { processor: null }), { engine });
      const failure = await failureOf(() => vit.classify(pattern(9, 9)));
      const { dims } = await vit.logits({ data: new Float32Array(3 * 48 * 48), dims: [1, 3, 48, 48] });
      await vit.dispose();
      return { failure, dims };
    });
    assert.deepEqual(dims, [1, 7]);
    assert.equal(failure.code, "missing-file");
    assert.match(failure.message, /preprocessor_config\.json/);
  });

  test("classes without names are numbered, and names that are fewer than the classes are refused", async () => {
    const { labels, some, none } = await page.evaluate(async () => {
      const load = async (config) => ImageClassifier.load(await sourceOf("vit", { config }), { engine });
      const vit = await load({ id2label: undefined, label2id: undefined, num_labels: 7 });
      const { labels } = vit;
      await vit.dispose();
      const id2label = { 0: "cat", 2: "dog" };
      return {
        labels,
        some: await failureOf(() => load({ id2label })),
        none: await failureOf(() => load({ id2label: undefined })),
      };
    });
    assert.deepEqual(labels, Array.from({ length: 7 }, (_, at) => `LABEL_${at}`));
    assert.equal(some.code, "corrupt-file");
    assert.match(some.message, /id2label.*none for 1/);
    assert.equal(none.code, "corrupt-file");
    assert.match(none.message, /classifier.*expected \[2\]/);
  });

  test("inspect knows an image model by its header", async () => {
    const { task, architecture, layers, heads } = await page.evaluate(async () => inspect(await sourceOf("vit"), { engine }));
    assert.deepEqual({ task, architecture, layers, heads }, { task: "image-classification", architecture: "vit", layers: 3, heads: 4 });
  });

  test("a killed worker takes what waits with it, and the model comes back", async () => {
    const { failed, again } = await page.evaluate(async () => {
      const engine = await Engine.create({ device: "cpu" });
      const vit = await ImageClassifier.load(await sourceOf("vit"), { engine });
      const before = await vit.classify(pattern(30, 20));
      let victim;
      watchCalls("classify", (worker) => { victim ??= worker; victim.terminate(); });
      const failed = (await failureOf(() => vit.classify(Array(100).fill(pattern(300, 200))))).code;
      const again = JSON.stringify(await vit.classify(pattern(30, 20))) === JSON.stringify(before);
      await engine.dispose();
      return { failed, again };
    });
    assert.equal(failed, "internal");
    assert(again);
  });

  test("an abort and the model's end are told as what they are", async () => {
    const codes = await page.evaluate(async () => {
      const vit = await ImageClassifier.load(await sourceOf("vit"), { engine });
      const controller = new AbortController();
      const many = Array(500).fill(pattern(200, 200));
      const aborted = failureOf(() => vit.classify(many, { signal: controller.signal }));
      const before = failureOf(() => vit.classify(many, { signal: AbortSignal.abort() }));
      await vit.classify(pattern(9, 9));
      controller.abort();
      const codes = [(await aborted).code, (await before).code];
      const running = failureOf(() => vit.classify(many));
      await vit.dispose();
      codes.push((await running).code, (await failureOf(() => vit.classify(pattern(9, 9)))).code);
      return codes;
    });
    assert.deepEqual(codes, ["aborted", "aborted", "disposed", "disposed"]);
  });

  test("a page's own thread does where the caller wants no worker", async () => {
    const same = await page.evaluate(async () => {
      const inPage = await Engine.create({ device: "cpu", worker: false });
      const own = await ImageClassifier.load(await sourceOf("vit"), { engine: inPage });
      const image = pattern(70, 50);
      const same = JSON.stringify(await own.classify(image)) === JSON.stringify(await vit.classify(image));
      await inPage.dispose();
      return same;
    });
    assert(same);
  });
});

test("under Node bytes are classified, and what would have to be decoded says so", async () => {
  const file = (name) => readFileSync(new URL(`conformance/vit/${name}`, import.meta.url));
  const source = { "config.json": file("config.json"), "model.safetensors": file("model.safetensors"), "preprocessor_config.json": JSON.stringify(processorOf(48)) };
  const engine = await Engine.create({ device: "cpu" });
  try {
    const vit = await ImageClassifier.load(source, { engine });
    const image = { data: new Uint8Array(3 * 20 * 10).map((_, at) => at & 255), width: 20, height: 10 };
    assert.equal((await vit.classify(image)).length, 5);
    assert.equal((await vit.classifyPatches(image, { size: 10 })).patches.length, 2);
    for (const input of [new Blob(["x"]), "picture.png", new URL("https://a.example/picture.png")]) {
      await assert.rejects(vit.classify(input), (error) => {
        assert(error instanceof AzulejoError);
        assert.equal(error.code, "invalid-argument");
        assert.match(error.message, /data, width, height/);
        return true;
      });
    }
  } finally {
    await engine.dispose();
  }
});
