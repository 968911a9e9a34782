// Every kernel in every variant, read by Chrome, whose compiler refuses what naga lets through: the check of the WGSL.
// Pipelines, which take its driver most of a second each, are made there of a sixth (scripts/sample.mjs), of all by Dawn.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { install, packageFolder } from "../bench/install.mjs";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { due } from "../scripts/sample.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { startServer } from "./support/server.mjs";

deadline(10);

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Label and text of each, as a browser gets them. */
function shaders() {
  const { status, stdout, error } = spawnSync("cargo", ["run", "--locked", "--quiet", "--example", "shaders"], {
    cwd: ROOT, stdio: ["ignore", "pipe", "inherit"], maxBuffer: 2 ** 26, timeout: 300_000,
  });
  assert.equal(status, 0, error?.message);
  return JSON.parse(stdout);
}

/** The extension that a text begins with, by the feature's name. */
function needs({ text }) {
  return { subgroups: "subgroups", f16: "shader-f16" }[/^enable (\w+);/.exec(text)?.[1]];
}

/**
 * In the page, or here with Dawn: reads each text, and makes a pipeline of those that say `whole`, on a device with default
 * limits. Gives what was refused, and why.
 */
async function compile({ list, features }) {
  const adapter = await (globalThis.dawn ?? navigator.gpu).requestAdapter();
  const device = await adapter.requestDevice({ requiredFeatures: features });
  const refused = [];
  const one = async ({ label, text, whole }) => {
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code: text });
    const [error, { messages }] = await Promise.all([device.popErrorScope(), module.getCompilationInfo()]);
    const lines = text.split("\n");
    const words = messages.filter(({ type }) => type === "error").map(({ message, lineNum }) => `${message}: ${lines[lineNum - 1]}`);
    if (error) return refused.push({ label, why: words.join("\n") || error.message });
    if (!whole) return undefined;
    const pipeline = device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
    await pipeline.catch(({ message }) => refused.push({ label, why: message }));
  };
  const waiting = [...list];
  const worker = async () => { while (waiting.length > 0) await one(waiting.pop()); };
  await Promise.all(Array.from({ length: 4 }, worker));
  device.destroy();
  return refused;
}

/** What Chrome's compiler by itself refuses: npm's "webgpu", whose null device has every feature, and nothing to wait for. */
async function refusalsOfDawn(shaders) {
  const list = shaders.map((shader) => ({ ...shader, whole: true }));
  install(["webgpu"]);
  const { create, globals } = await import(pathToFileURL(join(packageFolder("webgpu"), "index.js")).href);
  Object.assign(globalThis, globals, { dawn: create(["backend=null"]) });
  try {
    const features = [...new Set(list.map(needs).filter(Boolean))];
    const broken = { label: "broken", text: `${list[0].text}\nfn broken() -> f32 { return 1i; }` };
    assert.deepEqual((await compile({ list: [broken], features })).map(({ label }) => label), ["broken"]);
    return await compile({ list, features });
  } finally {
    delete globalThis.dawn;
  }
}

describe("Chrome's compiler", () => {
  let browser, page, server, all, features;
  before(async () => {
    all = shaders();
    browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    server = await startServer({ mounts: { "/": ROOT } });
    page = await browser.newPage();
    await page.goto(`${server.url}tests/support/page.html`);
    features = await page.evaluate(async () => [...(await navigator.gpu.requestAdapter()).features]);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** What it refuses of these. */
  const refusals = (list) => page.evaluate(compile, { list, features: [...new Set(list.map(needs).filter(Boolean))] });

  for (const feature of [undefined, "subgroups", "shader-f16"]) {
    test(`takes every kernel ${feature ? `that uses ${feature}` : "without extras"}`, async () => {
      const list = all.filter((shader) => needs(shader) === feature);
      assert(list.length > 0);
      const refused = await refusalsOfDawn(list);
      if (!feature || features.includes(feature)) refused.push(...await refusals(list.map((shader, at) => ({ ...shader, whole: due(at) }))));
      assert.equal(refused.length, 0, refused.map(({ label, why }) => `${label}: ${why}`).join("\n\n"));
    });
  }

  test("refuses what is beyond a float, though naga takes it, and beyond the workgroup's memory", async () => {
    const kernel = (text) => `${text}\n@compute @workgroup_size(1) fn main() { lot[0] = lowest; }`;
    const refused = await refusals([
      { label: "number", whole: true, text: kernel("const lowest = f32(-3.4028236e38); var<workgroup> lot: array<f32, 1>;") },
      { label: "memory", whole: true, text: kernel("const lowest = -3.0e38; var<workgroup> lot: array<f32, 4097>;") },
      { label: "good", whole: true, text: kernel("const lowest = -3.0e38; var<workgroup> lot: array<f32, 4096>;") },
    ]);
    assert.deepEqual(refused.map(({ label }) => label).sort(), ["memory", "number"]);
    assert.match(refused.find(({ label }) => label === "number").why, /cannot be represented/);
  });
});
