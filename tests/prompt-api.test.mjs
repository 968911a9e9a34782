// The Prompt API's LanguageModel: web-platform-tests in Chromium, and what they leave open.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { CausalLM, Engine } from "../dist/index.js";
import { promptApi } from "../dist/prompt-api.js";
import { endless, SMOLLM } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { idle } from "./support/idle.mjs";

deadline(10);

const WPT = new URL("wpt/ai/language-model/", import.meta.url);
const files = (await readdir(WPT, { recursive: true })).filter((name) => name.endsWith(".js")).sort();

/** What is not so here, and why. */
const OTHERWISE = {
  "Check empty Object input": "a model that repeats what it is told",
  "Prompt API should work when a valid response json schema and model prefix is provided.": "a constraint together with a prefix is refused",
  "Prompt should work with a valid regex constraint and matching prefix.": "the same",
  "Check contextUsage increases from a simple LanguageModel.prompt() call": "the assistant's role takes a token more than the user's",
  "Test that initialPrompt counts towards session contextUsage": "what a larger model answers",
};
/** Without a model that says something sensible, on a device that computes for long. */
const QUICK = ["abort", "append", "availability", "clone", "create", "measure-context-usage", "prompt-streaming", "rejections"];

describe("web-platform-tests in Chromium", () => {
  let browser, server;
  before(async () => {
    browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    server = await startApiServer({ isolated: true, files: { "/smollm.gguf": { bytes: await readFile(SMOLLM) }, "/endless.gguf": { bytes: endless() } } });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** Runs these files in a page of their own. */
  async function run(t, { device, url, contextLength }, names) {
    const page = await browser.newPage();
    await page.goto(server.url);
    await page.evaluate(async ({ device, url, contextLength }) => {
      const [{ CausalLM, Engine }, { promptApi }] = [await import("/dist/index.js"), await import("/dist/prompt-api.js")];
      globalThis.engine = await Engine.create({ device });
      globalThis.LanguageModel = promptApi((report) => CausalLM.load(url, { engine, contextLength, cache: false, onProgress: ({ loadedBytes, totalBytes }) => report(loadedBytes / (totalBytes || loadedBytes || 1)) }));
    }, { device, url, contextLength });
    for (const script of ["support/testharness.js", "wpt/ai/resources/util.js", ...names.map((name) => `wpt/ai/language-model/${name}`)])
      await page.addScriptTag({ url: `/tests/${script}` });
    const results = await page.evaluate(() => globalThis.run());
    await page.evaluate(() => globalThis.engine.dispose());
    assert(results.length >= names.length);
    assert.deepEqual(results.filter(([title, error]) => error !== undefined && !(title in OTHERWISE)), []);
    for (const [title] of results.filter(([title, error]) => error !== undefined)) t.diagnostic(`${title} – not so: ${OTHERWISE[title]}`);
    await page.close();
  }

  for (const name of files) {
    test(`on cpu: ${name}`, (t) => run(t, { device: "cpu", url: "/smollm.gguf", contextLength: 1024 }, [name]));
  }
  test("on webgpu: those that need no sense", (t) => run(t, { device: "webgpu", url: "/endless.gguf", contextLength: 256 }, files.filter((name) => QUICK.some((quick) => name.includes(quick)))));
});

describe("under Node", () => {
  let engine, LanguageModel;
  before(async () => {
    engine = await Engine.create({ threads: 1 });
    LanguageModel = promptApi(await CausalLM.load(endless(), { engine, contextLength: 512 }));
  });
  after(() => engine?.dispose());

  test("a session has what was said, goes on with a prefix, and draws as it is told", async () => {
    const said = { responseConstraint: /[a-c]{8}/ };
    const session = await LanguageModel.create({ topK: 5, temperature: 1, initialPrompts: [{ role: "system", content: "x" }] });
    assert.match(await session.prompt("a", said), /^[a-c]{8}$/);
    const before = session.contextUsage;
    const clone = await session.clone();
    assert.equal(clone.contextUsage, before);
    await clone.append([{ role: "user", content: [{ type: "text", value: "b" }, { type: "text", value: "c" }] }]);
    assert(clone.contextUsage > session.contextUsage);
    let streamed = "";
    for await (const piece of session.promptStreaming("b", said)) streamed += piece;
    assert.match(streamed, /^[a-c]{8}$/);
    assert.match(await session.prompt("c", { responseConstraint: /\d\w[^\D]/ }), /^[0-9][A-Za-z0-9_][0-9]$/);
    const controller = new AbortController();
    const going = session.promptStreaming([{ role: "user", content: "d" }, { role: "assistant", content: "abc", prefix: true }], { signal: controller.signal });
    const reader = going.getReader();
    await reader.read();
    controller.abort();
    await assert.rejects(async () => { while (!(await reader.read()).done); }, { name: "AbortError" });
    session.destroy();
    clone.destroy();
    await idle(engine);
  });

  test("one is answered after the other, read or not; what was called off was never said", async () => {
    const session = await LanguageModel.create({ topK: 5, temperature: 1 });
    const [controller, order] = [new AbortController(), []];
    const first = session.prompt("a", { responseConstraint: /[a-c]{200}/ }).then(() => order.push("first"));
    const second = session.prompt("b", { signal: controller.signal });
    const third = session.prompt("c", { responseConstraint: /[a-c]{2}/ }).then(() => order.push("third"));
    controller.abort();
    await assert.rejects(second, { name: "AbortError" });
    await Promise.all([first, third]);
    assert.deepEqual(order, ["first", "third"]);
    session.promptStreaming("d", { responseConstraint: /[a-c]{40}/ });
    await session.prompt("e", { responseConstraint: /[a-c]{2}/ });
    const before = session.contextUsage;
    const again = new AbortController();
    const going = session.promptStreaming("f", { signal: again.signal }).getReader();
    await going.read();
    again.abort();
    await assert.rejects(async () => { while (!(await going.read()).done); }, { name: "AbortError" });
    await assert.rejects(session.prompt("g", { responseConstraint: { not: {} } }), { name: "NotSupportedError" });
    assert.equal(await session.measureContextUsage("h"), await session.measureContextUsage("i"));
    assert.equal(session.contextUsage, before);
    // Messages that can be read but once.
    const [clone, said] = [await session.clone(), [{ role: "user", content: "j" }]];
    for (const [each, input] of [[session, said], [clone, said.values()]]) await each.prompt(input, { responseConstraint: /[a]{3}/ });
    assert.equal(clone.contextUsage, session.contextUsage);
    for (const each of [session, clone]) each.destroy();
  });

  test("thoughts that nobody sees end with the stream that they are of", async () => {
    const template = "{% for m in messages %}{{ m.content }}{% endfor %}{% if messages | length < 2 %}{{ raise_exception('No user query found in messages.') }}{% endif %}<think>";
    const thinking = await CausalLM.load({ "model.gguf": endless(), "chat_template.jinja": template }, { engine });
    const session = await promptApi(thinking).create({ initialPrompts: [{ role: "system", content: "a" }] });
    const stream = session.promptStreaming("b");
    await stream.cancel();
    await idle(engine);
    await thinking.dispose();
  });

  test("shares of what nobody knows the size of are not told", async () => {
    const shares = [];
    const Own = promptApi(async (report) => { for (const share of [NaN, 0.5, NaN]) report(share); return CausalLM.load(endless(), { engine }); });
    await Own.create({ monitor: (monitor) => monitor.addEventListener("downloadprogress", ({ loaded }) => shares.push(loaded)) });
    assert.deepEqual(shares, [0, 0.5, 1]);
  });

  test("its end, or the one of the signal that it was made with, ends what is under way", async () => {
    const session = await LanguageModel.create();
    const calls = [session.prompt("a"), session.append("b"), session.measureContextUsage("c"), session.clone()];
    session.destroy();
    for (const call of [...calls, session.prompt("a"), session.append("b")]) await assert.rejects(call, { name: "AbortError" });
    assert.equal(typeof session.contextUsage, "number");
    const [controller, error] = [new AbortController(), new Error("enough")];
    const other = await LanguageModel.create({ signal: controller.signal });
    const going = other.prompt("a");
    controller.abort(error);
    for (const call of [going, other.prompt("a")]) await assert.rejects(call, (thrown) => thrown === error);
    await idle(engine);
  });

  test("what is not supported is refused as the platform has it", async () => {
    assert.throws(() => new LanguageModel(), TypeError);
    assert.equal(await LanguageModel.availability({ expectedInputs: [{ type: "image" }] }), "unavailable");
    await assert.rejects(() => LanguageModel.create({ expectedInputs: [{ type: "image" }] }), { name: "NotSupportedError" });
    await assert.rejects(() => LanguageModel.create({ initialPrompts: [{ role: "user", content: "a".repeat(4000) }] }), { name: "QuotaExceededError", quota: 512 });
    const session = await LanguageModel.create();
    for (const [input, options, name] of [
      [[{ role: "user", content: [{ type: "image", value: null }] }], {}, "NotSupportedError"],
      ["a", { responseConstraint: { type: "object", not: {} } }, "NotSupportedError"],
      ["a", { responseConstraint: /(?=a)b/ }, "NotSupportedError"],
      ["a", { responseConstraint: /yes/i }, "NotSupportedError"],
      [[{ role: "tool", content: "a" }], {}, "TypeError"],
      [[{ role: "user", content: "a", prefix: true }], {}, "SyntaxError"],
    ]) await assert.rejects(() => session.prompt(input, options), { name }, JSON.stringify(input));
    const failing = promptApi(async () => { throw new Error("no network"); });
    assert.equal(await failing.availability(), "downloadable");
    for (let asked = 0; asked < 2; asked++) await assert.rejects(() => failing.create(), /no network/);
    session.destroy();
  });
});
