// What a step on WebGPU comes to, by the counters that the benchmark shows: in Chromium, on SwiftShader.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { endless } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(10);

const ENDLESS = "/endless.gguf";
const SMOLLM = "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
const SMOLLM_LAYERS = 30;
/** Five a layer; the embedding, the head, penalties and the choice; and a few to spare. */
const MOST_DISPATCHES = 160;

let browser, server;
before(async () => {
  browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  server = await startApiServer({ isolated: true, files: { [ENDLESS]: { bytes: endless() } } });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** What the benchmark says of a step of each measure, of a model loaded once; and the device's features. */
async function stepsOf({ url, gpu }, ...measures) {
  const page = await browser.newPage();
  try {
    await page.goto(server.url);
    return await page.evaluate(async ([url, gpu, measures]) => {
      const { load } = await import("/bench/contestants/azulejo.js");
      const contestant = await load({ url, contextLength: 1024, device: "webgpu", gpu });
      const steps = [];
      for (const { kind, prompt = "in the", count } of measures) steps.push(await contestant.step(kind, prompt, count));
      await contestant.dispose();
      return { steps, features: contestant.features };
    }, [url, gpu, measures]);
  } finally {
    await page.close();
  }
}

const total = (kernels, field) => Object.values(kernels).reduce((sum, runs) => sum + runs[field], 0);

function assertOneSubmit({ submits, readBytes }) {
  assert.equal(submits, 1);
  assert.equal(readBytes, 4, "nothing but the token comes back");
}

test("a decoded SmolLM2 token takes at most 160 dispatches, one submit, and brings back 4 bytes", async () => {
  const { steps: [decoded] } = await stepsOf({ url: SMOLLM }, { kind: "decode", count: 2 });
  assert.equal(decoded.steps, 2);
  assert(decoded.dispatches <= MOST_DISPATCHES, `${decoded.dispatches} dispatches`);
  assert(decoded.dispatches >= 2 * SMOLLM_LAYERS, `${decoded.dispatches} dispatches`);
  assert.equal(decoded.passes, 1);
  assertOneSubmit(decoded);
});

test("a decoded SmolLM2 token multiplies once by each weight, as its profile has it", async () => {
  const { steps: [{ kernels }] } = await stepsOf({ url: SMOLLM, gpu: { profile: true } }, { kind: "decode", count: 1 });
  // The blocks' matrices and the head, which is the embedding.
  const weights = SMOLLM_LAYERS * (2 * 576 * 576 + 2 * 192 * 576 + 3 * 1536 * 576) + 49152 * 576;
  const products = Object.entries(kernels).filter(([label]) => label.startsWith("Matrix"));
  assert.equal(total(Object.fromEntries(products), "operations"), 2 * weights);
});

/** Counts what a page asks of its GPU while it makes tokens, in the browser's own functions. */
async function countCommands(maxTokens) {
  const { CausalLM, Engine } = await import("/dist/index.js");
  const counts = { submits: 0, dispatches: 0, passes: 0, reads: 0 };
  const count = (Class, method, name) => {
    const original = Class.prototype[method];
    Class.prototype[method] = function (...given) {
      counts[name]++;
      return original.apply(this, given);
    };
  };
  count(GPUQueue, "submit", "submits");
  count(GPUComputePassEncoder, "dispatchWorkgroups", "dispatches");
  count(GPUCommandEncoder, "beginComputePass", "passes");
  count(GPUBuffer, "mapAsync", "reads");
  const engine = await Engine.create({ device: "webgpu", worker: false });
  const lm = await CausalLM.load("/endless.gguf", { engine });
  const made = [];
  for (const tokens of maxTokens) {
    for (const name of Object.keys(counts)) counts[name] = 0;
    await lm.generate("in the", { maxTokens: tokens, ignoreEnd: true });
    made.push({ ...counts });
  }
  await engine.dispose();
  return made;
}

test("the browser itself counts as many commands for a token as are told", async () => {
  const { steps: [{ dispatches }] } = await stepsOf({ url: ENDLESS }, { kind: "decode", count: 5 });
  const page = await browser.newPage();
  try {
    await page.goto(server.url);
    // The first compiles, and makes what is found again.
    const [, few, more] = await page.evaluate(countCommands, [12, 4, 12]);
    const each = Object.fromEntries(Object.keys(few).map((name) => [name, (more[name] - few[name]) / 8]));
    assert.deepEqual(each, { submits: 1, dispatches, passes: 1, reads: 1 });
  } finally {
    await page.close();
  }
});

test("without a profile there are counts of commands only; a prompt's steps are its chunks", async () => {
  const measures = [{ kind: "decode", count: 5 }, { kind: "prefill", prompt: "x".repeat(300) }];
  const { steps: [decoded, prompt] } = await stepsOf({ url: ENDLESS }, ...measures);
  assert.equal(decoded.steps, 5);
  assert.deepEqual(decoded.kernels, {});
  // The second may be longer, if the first took little.
  assert(prompt.steps === 3 || prompt.steps === 2, `${prompt.steps} steps`);
  assert.equal(prompt.readBytes * prompt.steps, 4);
});

test("a profile times each kernel in a pass of its own, and each dispatch belongs to a kernel", async () => {
  const { features, steps: [timed] } = await stepsOf({ url: ENDLESS, gpu: { profile: true } }, { kind: "decode", count: 5 });
  assert(features.includes("timestamp-query"), features.join());
  assert.equal(total(timed.kernels, "count"), timed.dispatches);
  assert.equal(timed.passes, timed.dispatches);
  assertOneSubmit(timed);
  assert(total(timed.kernels, "ms") > 0, JSON.stringify(timed.kernels));
  for (const [label, { bytes }] of Object.entries(timed.kernels)) assert(bytes > 0, label);
});

test("a profile without timestamps has counts, and no times", async () => {
  const gpu = { profile: true, without: ["timestamp-query"] };
  const { steps: [counted] } = await stepsOf({ url: ENDLESS, gpu }, { kind: "decode", count: 2 });
  assert.equal(total(counted.kernels, "count"), counted.dispatches);
  assert.equal(total(counted.kernels, "ms"), 0);
  assert.equal(counted.passes, 1);
});
