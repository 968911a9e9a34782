// classifyPatches: where the windows lie and what their picture shows; a picture of 8192 × 8192 in bounded memory, with
// progress, abort, a page that stays awake and a model that others may use meanwhile.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { ALL, PART, PARTS } from "../scripts/sample.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { openImagesPage } from "./support/images-browser.mjs";
import { startServer } from "./support/server.mjs";

deadline(10);

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MIB = 1 << 20;

let browser, server;
before(async () => { server = await startServer({ mounts: { "/": ROOT }, isolated: false }); });
after(() => server?.close());

/** In a browser of its own, whose memory nobody has used. */
async function openPage(device) {
  browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  return openImagesPage(browser, server, device, "vit");
}

describe("windows", () => {
  let page;
  before(async () => { page = await openPage("cpu"); });
  after(() => browser?.close());

  const windows = (width, height, options) => page.evaluate(async ([width, height, options]) => {
    const { rows, columns, patches } = await vit.classifyPatches(pattern(width, height), options);
    return { rows, columns, windows: patches.map(({ x, y, width, height }) => [x, y, width, height].join()) };
  }, [width, height, options]);

  test("touch where the picture is a multiple of them, row by row", async () => {
    const expected = { rows: 2, columns: 3, windows: ["0,0,10,10", "10,0,10,10", "20,0,10,10", "0,10,10,10", "10,10,10,10", "20,10,10,10"] };
    assert.deepEqual(await windows(30, 20, { size: 10 }), expected);
  });

  test("end at the picture's edge, so that all of it is seen", async () => {
    assert.deepEqual(await windows(25, 10, { size: 10 }), { rows: 1, columns: 3, windows: ["0,0,10,10", "10,0,10,10", "15,0,10,10"] });
    assert.deepEqual(await windows(10, 11, { size: 10 }), { rows: 2, columns: 1, windows: ["0,0,10,10", "0,1,10,10"] });
  });

  test("overlap with a small stride, and leave gaps with a large one", async () => {
    assert.deepEqual((await windows(20, 10, { size: 10, stride: 5 })).windows, ["0,0,10,10", "5,0,10,10", "10,0,10,10"]);
    assert.deepEqual((await windows(40, 10, { size: 10, stride: 30 })).windows, ["0,0,10,10", "30,0,10,10"]);
  });

  test("are the model's own input size unless told, and the whole picture where that is smaller", async () => {
    assert.deepEqual((await windows(96, 50, {})).windows, ["0,0,48,48", "48,0,48,48", "0,2,48,48", "48,2,48,48"]);
    assert.deepEqual(await windows(20, 30, {}), { rows: 1, columns: 1, windows: ["0,0,20,30"] });
  });

  test("show what they would show alone, in any batches", async () => {
    const same = await page.evaluate(async () => {
      const { width, data } = pattern(100, 70);
      const cut = ({ x, y, width: w, height: h }) => {
        const part = new ImageData(w, h);
        for (let row = 0; row < h; row++) {
          const from = 4 * ((y + row) * width + x);
          part.data.set(data.subarray(from, from + 4 * w), 4 * w * row);
        }
        return part;
      };
      const same = [];
      for (const batch of [1, 4, 100]) {
        const { patches } = await vit.classifyPatches(pattern(100, 70), { size: 30, stride: 20, batch, topK: 1 });
        for (const patch of patches) same.push(patch.best[0].index === (await vit.classify(cut(patch), { topK: 1 }))[0].index);
      }
      return same;
    });
    assert.equal(same.length, 3 * 5 * 3);
    assert(same.every(Boolean));
  });

  test("are drawn each in its class's colour, as the legend has it, or by how likely a label is", async () => {
    const { patches, legend, size, colours, opaque } = await page.evaluate(async () => {
      const map = await vit.classifyPatches(pattern(3000, 1500), { size: 300, topK: 7 });
      const at = (image, { x, y, width, height }) => {
        const scale = image.width / 3000;
        const place = 4 * (Math.floor((x + width / 2) * scale) + image.width * Math.floor((y + height / 2) * scale));
        return Array.from(image.data.slice(place, place + 4));
      };
      const overlay = map.toImageData();
      const label = map.legend[0].label;
      const heat = map.toImageData({ label });
      return {
        patches: map.patches.map(({ best }) => ({ label: best[0].label, score: best.find((each) => each.label === label).score })),
        legend: map.legend,
        size: [overlay.width, overlay.height, heat.width, heat.height],
        colours: map.patches.map((patch) => `rgb(${at(overlay, patch).slice(0, 3).join(" ")})`),
        opaque: map.patches.map((patch) => at(heat, patch)[3]),
      };
    });
    assert.deepEqual(size, [1024, 512, 1024, 512]);
    assert.equal(legend.reduce((sum, entry) => sum + entry.patches, 0), 50);
    patches.forEach(({ label }, at) => assert.equal(colours[at], legend.find((entry) => entry.label === label).color));
    assert.equal(new Set(legend.map(({ color }) => color)).size, legend.length);
    const most = patches.findIndex(({ score }) => score === Math.max(...patches.map((each) => each.score)));
    assert.equal(opaque[most], Math.max(...opaque));
  });
});

for (const device of ["cpu", "webgpu"]) {
  describe(`a picture of 8192 × 8192 on ${device}`, () => {
    let page, baseline, run;
    before(async () => {
      page = await openPage(device);
      baseline = await pagesMemory();
      // 16 × 16 squares, each a picture of its own.
      await page.evaluate(() => {
        globalThis.SIDE = 512;
        globalThis.square = (at, image = new ImageData(SIDE, SIDE)) => {
          const step = 1 + (at % 16);
          const words = new Uint32Array(image.data.buffer);
          words.forEach((_, place) => {
            const [x, y] = [place % SIDE, place >> 9];
            const grey = ((x * step) ^ (y * (1 + (at >> 4)))) & 255;
            words[place] = 0xff000000 | (grey << 16) | ((at & 255) << 8) | ((x * y * step) >> 8) & 255;
          });
          return image;
        };
        globalThis.sheet = new OffscreenCanvas(8192, 8192);
        const context = sheet.getContext("2d", { willReadFrequently: true });
        const image = square(0);
        for (let at = 0; at < 256; at++) context.putImageData(square(at, image), SIDE * (at % 16), SIDE * (at >> 4));
      });
      // What making it took is not to be counted.
      const client = await page.context().newCDPSession(page);
      await client.send("HeapProfiler.collectGarbage");
      await pagesMemory({ forget: true });
      run = { ...await page.evaluate(classifySheet), memory: await pagesMemory() };
    });
    after(() => browser?.close());

    /** Classifies it all, and says what happened meanwhile. */
    async function classifySheet() {
      const calls = watchCalls("classify");
      const wasm = async () => (await engine.diagnostics()).wasmBytes;
      await vit.classify(square(0));
      calls.length = 0;
      const wasmBefore = await wasm();
      const progress = [];
      // Whatever else the page has to do: a task that asks for the next one.
      let others = 0;
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => { others++; port2.postMessage(""); };
      port2.postMessage("");
      const onProgress = (done, total) => progress.push([done, total, others]);
      globalThis.map = await vit.classifyPatches(sheet, { size: SIDE, batch: 8, topK: 7, onProgress });
      port1.close();
      return { wasmBefore, wasmAfter: await wasm(), calls: [...calls], progress };
    }

    test("is classified square by square, while the page stays awake and memory bounded", (t) => {
      const { wasmBefore, wasmAfter, calls, progress, memory } = run;
      assert.deepEqual(progress.map(([done, of]) => [done, of]), Array.from({ length: 32 }, (_, at) => [8 * (at + 1), 256]));
      // No call carried more than a batch, and the core took no more than a few of them.
      assert.equal(calls.length, 32);
      for (const { pictures, bytes } of calls) assert.deepEqual([pictures, bytes], [8, 8 * MIB]);
      assert(wasmAfter - wasmBefore <= 64 * MIB, `wasm grew by ${(wasmAfter - wasmBefore) / MIB} MiB`);
      // Something else ran between any two batches.
      const turns = progress.map(([, , others], at) => others - (progress[at - 1]?.[2] ?? 0));
      assert(turns.every((count) => count > 0), turns.join());
      if (memory === undefined) return t.diagnostic("no /proc here: the processes' memory was not looked at");
      const [first, most] = [baseline.now, memory.most].map((bytes) => Math.round(bytes / MIB));
      t.diagnostic(`the page's process: ${first} MiB at first, ${most} MiB at most, the picture's 256 MiB among them`);
      assert(most - first < 512, `grew by ${most - first} MiB`);
    });

    test("shows in every square what the square shows alone", async () => {
      const { right, looked } = await page.evaluate(async ([all, part, parts]) => {
        let [right, looked] = [0, 0];
        for (const [at, { best }] of map.patches.entries()) {
          if (!all && at % parts !== part) continue;
          const [alone] = await vit.classify(square(at), { topK: 1 });
          looked++;
          if (best[0].index === alone.index) right++;
        }
        return { right, looked };
      }, [ALL, PART, PARTS]);
      assert(looked >= 42, `${looked} squares`);
      assert.equal(right, looked);
    });

    test("an abort acts within one batch", async () => {
      const { code, done, calls, after } = await page.evaluate(async () => {
        const calls = watchCalls("classify");
        const controller = new AbortController();
        let done = 0;
        const onProgress = (count) => {
          done = count;
          if (count === 12) controller.abort();
        };
        const { code } = await failureOf(() => vit.classifyPatches(sheet, { size: SIDE, batch: 4, onProgress, signal: controller.signal }));
        const sent = calls.length;
        await vit.classify(square(0));
        return { code, done, calls: sent, after: calls.length };
      });
      assert.equal(code, "aborted");
      assert.equal(done, 12);
      assert.equal(calls, 3);
      assert.equal(after, 4);
    });

    test("another picture gets its turn meanwhile", async () => {
      const { first, code } = await page.evaluate(async () => {
        let done = 0;
        let begun;
        const beginning = new Promise((resolve) => { begun = resolve; });
        const onProgress = (count) => { done = count; begun(); };
        const enough = new AbortController();
        const patches = failureOf(() => vit.classifyPatches(sheet, { size: SIDE, batch: 2, onProgress, signal: enough.signal }));
        await beginning;
        const first = [];
        for (let count = 0; count < 3; count++) {
          await vit.classify(square(count));
          first.push(done);
        }
        enough.abort();
        return { first, code: (await patches).code };
      });
      assert.equal(code, "aborted");
      // Each waited for the batch at work, and perhaps for one that was on its way.
      assert(first.at(-1) <= 30, `served after ${first} of 256 patches`);
    });
  });
}

/**
 * What the browser's pages have in memory now, and had at most, in bytes: all of their processes together; undefined on
 * systems without /proc. Afterwards the most is what they have now if that is to be forgotten.
 */
async function pagesMemory({ forget = false } = {}) {
  if (!existsSync("/proc/self/status")) return undefined;
  const client = await browser.newBrowserCDPSession();
  const { processInfo } = await client.send("SystemInfo.getProcessInfo");
  await client.detach();
  const sums = { now: 0, most: 0 };
  for (const { id } of processInfo.filter(({ type }) => type === "renderer")) {
    const text = readFileSync(`/proc/${id}/status`, "utf8");
    const bytes = (name) => 1024 * Number(new RegExp(`${name}:\\s*(\\d+)`).exec(text)[1]);
    sums.now += bytes("VmRSS");
    sums.most += bytes("VmHWM");
    if (forget) writeFileSync(`/proc/${id}/clear_refs`, "5");
  }
  return sums;
}
