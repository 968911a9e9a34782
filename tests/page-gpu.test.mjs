// The page "Your GPU" as a visitor meets it, on a GPU that is none: SwiftShader. And its judgement: what is wrong has to show.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { difference, judge, parting, partOfSpread, worst } from "../www-dist/gpu/compare.js";
import { FORMATS, fillWeights, half } from "../www-dist/gpu/weight-formats.js";
import { Random } from "../www-dist/gpu/random.js";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { brokenWords, nameless, visit } from "./support/demo.mjs";

deadline(10);

const PAGE = { server: { isolated: true, csp: true } };
/** Some of everything: SwiftShader compiles the kernels of one format for ten seconds. */
const FEW = { families: ["llama", "bert", "vit"], kernels: ["Q4_1"], variants: ["as it is", "products of 8 bits"] };
const address = (what) => `gpu.html?${Object.entries(what).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&")}`;
const STEPS = ["families", "kernels", "ceilings", "speed"];

/** Has these steps measured, in the time that is chosen already or in so many seconds. */
async function measure(page, steps, seconds) {
  await page.waitForSelector("body[data-state=ready]");
  for (const step of STEPS) await page.setChecked(`#want-${step}`, steps.includes(step));
  if (seconds) await page.selectOption("#seconds", seconds);
  await page.click("#measure");
}

/** The file that a button saves. */
async function saved(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

describe("the comparing of a GPU with a CPU", () => {
  test("finds the largest difference, absolute and relative at once", () => {
    assert.equal(difference([1, 2, 3], [1, 2, 3]), 0);
    assert.equal(difference([0, 9.5], [0, 9]), 0.05);
    assert.equal(partOfSpread([1, -1, 1.5, -1], [1, -1, 1, -1]), 0.5);
  });

  test("takes no number, numbers that are missing, and logits that are all the same for infinitely wrong", () => {
    for (const got of [[1, NaN], [1], [], [1, 2, 3], [1, Infinity]]) {
      assert.equal(difference(got, [1, 2]), Infinity, `${got}`);
      assert.equal(partOfSpread(got, [1, 2]), Infinity, `${got}`);
    }
    assert.equal(partOfSpread([0, 0], [0, 0]), Infinity);
    assert.equal(difference([], []), Infinity);
  });

  test("says wrong of what is over the tolerance, and of no number", () => {
    assert.equal(judge(1e-5, 1e-4).right, true);
    assert.equal(judge(2e-4, 1e-4).right, false);
    assert.match(judge(2e-4, 1e-4).why, /2\.0e-4.*1\.0e-4/);
    assert.equal(judge(Infinity, 1e-4).right, false);
    assert.equal(judge(NaN, 1e-4).right, false);
    assert.equal(worst([judge(0, 1), judge(2, 1), judge(0.5, 1)]).right, false);
  });

  test("finds where texts part, an end too early as well", () => {
    assert.equal(parting([1, 2], [1, 2]), undefined);
    assert.equal(parting([1, 3], [1, 2]), 1);
    assert.equal(parting([1], [1, 2]), 1);
  });
});

describe("random weights", () => {
  test("halves are those of the standard, small ones too", () => {
    const known = [[1, 0x3c00], [-2, 0xc000], [65504, 0x7bff], [2 ** -14, 0x0400], [2 ** -24, 0x0001], [1 / 1367 / 16, 767], [0, 0]];
    for (const [value, bits] of known) assert.equal(half(value), bits, `${value}`);
  });

  test("are the same for the same seed", () => {
    const made = (seed) => {
      const bytes = new Uint8Array(144 * 4);
      fillWeights(bytes, "Q4_K", 0, 0.05, new Random(seed));
      return bytes;
    };
    assert.deepEqual(made(1), made(1));
    assert.notDeepEqual(made(1), made(2));
  });

  test("no format's scales vanish at the spread of a wide matrix", () => {
    for (const [name, { bytes, scales = [] }] of Object.entries(FORMATS)) {
      const out = new Uint8Array(bytes * 4);
      fillWeights(out, name, 0, 1 / Math.sqrt(4096), new Random(1));
      for (const [offset] of scales) assert.notEqual(out[offset] | (out[offset + 1] << 8), 0, name);
    }
  });
});

describe("the page Your GPU", () => {
  let browser;
  before(async () => { browser = await launchBrowser({ args: WEBGPU_ARGUMENTS }); });
  after(() => browser?.close());

  test("measures right and wrong to the end, and says right of all that it was asked for", async () => {
    const { page, complaints, close } = await visit(browser, { ...PAGE, hash: address(FEW) });
    try {
      assert.match(await page.innerText("#adapter-note"), /no GPU/);
      await measure(page, ["families", "kernels"], "600");
      assert.equal(await page.locator("#cancel").evaluate((button) => button === document.activeElement), true);
      // However slow the machine is.
      await page.waitForSelector("body[data-state=done]", { timeout: 0 });
      const { name, bytes } = await saved(page, "#save-report");
      assert.match(name, /^azulejo-[a-z0-9-]*swiftshader[a-z0-9-]*\.json$/);
      const report = JSON.parse(bytes.toString());
      for (const step of ["families", "kernels"]) assert.equal(report.steps[step].how, "done", JSON.stringify(report.steps[step]));
      const named = (step) => [...new Set(report[step].results.map(({ name }) => name))].sort();
      for (const step of ["families", "kernels"]) assert.deepEqual(named(step), [...FEW[step]].sort());
      assert.deepEqual(report.only, FEW);
      assert.deepEqual(report.kernels.results.map(({ variant }) => variant), FEW.variants);
      assert.deepEqual(report.families.results.filter(({ right }) => !right), []);
      for (const { name, variant, verdicts } of report.kernels.results)
        for (const [asked, { right, why }] of Object.entries(verdicts)) assert.ok(right, `${name}, ${asked}, ${variant}: ${why}`);
      assert.match(await page.innerText("#gpu-status"), /^It is right, as far as compared$/);
      // What is said at the head is what there is.
      assert.equal(report.version, 1);
      for (const field of ["families", "kernels", "ceilings", "speed", "steps"]) assert.ok(field in report && field in report.about, field);
      assert.equal(report.adapter.software, true);
      assert.ok(report.adapter.limits.maxBufferSize > 0);
      assert.match(report.browser.userAgent, /Chrom/);
      assert.ok(Date.parse(report.date) > 0);
      const picture = await saved(page, "#save-picture");
      assert.equal(picture.bytes.toString("latin1", 1, 4), "PNG");
      assert.match(await page.getAttribute("#picture", "aria-label"), /right.*, (\d+) of \1 families/);
      assert.deepEqual(complaints, []);
      for (const width of [320, 360, 768, 1280, 1920]) {
        await page.setViewportSize({ width, height: 800 });
        assert.deepEqual(await brokenWords(page), [], `${width} pixels wide`);
      }
      assert.deepEqual(await nameless(page), []);
    } finally {
      await close();
    }
  });

  test("measures ceilings and speed as far as the time goes", async () => {
    const { page, complaints, close } = await visit(browser, { ...PAGE, hash: address({ seconds: 1 }) });
    try {
      await measure(page, ["ceilings", "speed"]);
      await page.waitForSelector("body[data-state=done]", { timeout: 0 });
      const { steps, ceilings, speed } = JSON.parse((await saved(page, "#save-report")).bytes.toString());
      for (const step of ["ceilings", "speed"]) assert.match(steps[step].how, /^(done|out of time)$/, JSON.stringify(steps[step]));
      assert.ok(ceilings.bytesPerSecond > 1e7 && ceilings.operationsPerSecond > 1e7, JSON.stringify(ceilings));
      assert.match(await page.innerText("#result-ceilings"), /memory read/);
      const names = speed.rates.map(({ name }) => name);
      assert.match(names.join(), /^prefill \d+,.*decode/);
      for (const { name, tokens, ms, perSecond } of speed.rates) assert.ok(tokens > 0 && Math.abs(perSecond - (1000 * tokens) / ms) < 1e-6, name);
      assert.match(await page.getAttribute("#picture", "aria-label"), /not compared; \d.* tokens\/s written/);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });

  test("is cancelled at once, keeps what it has, and measures again", async () => {
    const { page, close } = await visit(browser, { ...PAGE, hash: address({}) });
    try {
      await measure(page, ["families", "speed"], "600");
      await page.waitForSelector("#result-families .chip");
      await page.keyboard.press("Escape");
      await page.waitForSelector("body[data-state=done]", { timeout: 30_000 });
      const report = JSON.parse((await saved(page, "#save-report")).bytes.toString());
      assert.equal(report.steps.families.how, "cancelled");
      assert.equal("speed" in report.steps, false);
      assert.ok(report.families.results.length > 0);
      assert.equal(await page.isEnabled("#measure"), true);
    } finally {
      await close();
    }
  });

  test("a wrong number and another token show as wrong", async () => {
    const { page, close } = await visit(browser, { ...PAGE, hash: address({}) });
    try {
      const shown = await page.evaluate(async () => {
        const [{ compareAnswers }, { verdicts }, { SHOW }, { overall, newReport }, { factsOfAdapter }] = await Promise.all(
          ["families", "kernels", "results", "report", "adapter"].map((name) => import(`/gpu/${name}.js`)));
        const right = { numbers: [1, 2], greedy: [3, 4], drawn: [5, 6] };
        const answers = [right, { ...right, numbers: [1, 2.1] }, { ...right, greedy: [3, 9] }, { ...right, drawn: [9, 6] }, { ...right, numbers: [1, NaN] }];
        const report = newReport(factsOfAdapter(await navigator.gpu.requestAdapter()));
        report.families = { of: 5, results: answers.map((got, at) => ({ name: `family${at}`, kind: "causal", ...compareAnswers(got, right, 1e-4) })) };
        const logits = { "one row": [1, -1], best: [1, 2] };
        report.kernels = { of: 1, results: [{ name: "Q8_0", variant: "as it is", verdicts: verdicts({ "one row": [1, 1], best: [1, 3] }, logits, ["one row", "best"], 1e-2) }] };
        const words = (step) => SHOW[step](report).map((element) => element.textContent).join("\n");
        return { overall: overall(report), families: words("families"), kernels: words("kernels") };
      });
      assert.equal(shown.overall, "wrong");
      assert.match(shown.families, /1 of 5 families are right/);
      assert.match(shown.families, /family1: the numbers differ.*family2: the best token 2 is another: 9, not 4.*family3: a drawn token 1.*family4/s);
      assert.match(shown.kernels, /0 of 1 models/);
      assert.match(shown.kernels, /Q8_0, one row, as it is: the numbers differ.*Q8_0, best, as it is: token 2 of 2 is another/s);
    } finally {
      await close();
    }
  });

  test("without WebGPU it says so and why, and offers nothing to measure", async () => {
    const without = await launchBrowser();
    const { page, close } = await visit(without, { ...PAGE, hash: address({}) });
    try {
      await page.waitForSelector("body[data-state=none]");
      assert.match(await page.innerText("#adapter-note"), /WebGPU.*(Chrome|no graphics processor)/);
      assert.equal(await page.isDisabled("#measure"), true);
      await page.setViewportSize({ width: 360, height: 700 });
      assert.deepEqual(await brokenWords(page), []);
    } finally {
      await close();
      await without.close();
    }
  });
});
