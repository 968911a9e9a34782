// The tokens that seeds draw are part of the contract: the same under Node and in Chromium, on the CPU and on WebGPU.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { CausalLM, Engine } from "../dist/index.js";
import { launchBrowser } from "./support/browser.mjs";
import { family } from "./support/calls.mjs";
import { deadline } from "./support/deadline.mjs";
import { startServer } from "./support/server.mjs";

deadline(5);

const reference = JSON.parse(readFileSync(new URL("reference/draws/reference.json", import.meta.url), "utf8"));
const cases = reference.models.filter(({ family }) => family === "llama");
const FILES = ["config.json", "model.safetensors"];

/** What a model draws in each case: afresh, with log-probabilities, and in a session that has read the prompt before. */
async function drawn(lm, cases) {
  const found = [];
  for (const { prompt, options, tokens } of cases) {
    const given = { ...options, maxTokens: tokens.length, ignoreEnd: true };
    const session = lm.createSession();
    await session.generate(prompt, { maxTokens: 1, ignoreEnd: true });
    const answers = [await lm.generate(prompt, given), await lm.generate(prompt, { ...given, logprobs: 0 }), await session.generate(prompt, given)];
    found.push(answers.map(({ tokens }) => Array.from(tokens)));
    await session.dispose();
  }
  return found;
}

const assertReference = (found, cases) =>
  cases.forEach(({ options, tokens }, at) => assert.deepEqual(found[at], [tokens, tokens, tokens], JSON.stringify(options)));

test("under Node, on the CPU", async () => {
  const engine = await Engine.create({ threads: 1 });
  const files = Object.fromEntries(FILES.map((name) => [name, readFileSync(`${family("llama")}${name}`)]));
  const lm = await CausalLM.load(files, { engine, kvCacheType: "f32" });
  assertReference(await drawn(lm, cases), cases);
  await engine.dispose();
});

let browser, server;
before(async () => {
  browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  server = await startServer({ mounts: { "/": fileURLToPath(new URL("..", import.meta.url)) }, isolated: true });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

for (const device of ["cpu", "webgpu"]) {
  test(`in Chromium, on ${device}`, async () => {
    const page = await browser.newPage();
    await page.goto(`${server.url}tests/support/page.html`);
    const some = device === "cpu" ? cases : cases.filter((_, at) => at % 2 === 0);
    await page.evaluate(`globalThis.drawn = ${drawn}`);
    const found = await page.evaluate(async ([device, cases]) => {
      const { CausalLM, Engine } = await import("/dist/index.js");
      const engine = await Engine.create({ device });
      const lm = await CausalLM.load(new URL("/tests/conformance/llama/", location.href), { engine, kvCacheType: "f32" });
      const found = await globalThis.drawn(lm, cases);
      await engine.dispose();
      return found;
    }, [device, some]);
    assertReference(found, some);
    await page.close();
  });
}
