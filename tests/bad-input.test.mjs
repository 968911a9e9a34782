// Files and calls that must be refused: with the right code, soon, without a large allocation, and without harm to
// the model beside them.

import assert from "node:assert/strict";
import { dirname, resolve } from "node:path";
import { after, before, beforeEach, afterEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ALL } from "../scripts/sample.mjs";
import { BAD_FILES } from "./support/bad-files.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { startServer } from "./support/server.mjs";

deadline(10);

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const MODEL = "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
/** Far above what a header of a few kilobytes needs, far below what it claims. */
const LARGE = 16 * 2 ** 20;

/** A page with the healthy model loaded; `ask(name, …)` calls what bad-input-page.js exports. */
async function openPage(browser, server, engineOptions) {
  const page = await browser.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(error.message));
  await page.goto(new URL("/tests/support/page.html", server.url).href);
  const ask = (name, ...given) => page.evaluate(async ([name, given]) => {
    const module = await import("/tests/support/bad-input-page.js");
    return module[name](...given);
  }, [name, given]);
  const started = await ask("start", "/dist/index.js", engineOptions);
  return { ask, started, faults, close: () => page.close() };
}

/** Every outcome is a refusal with one of the right codes. */
function assertRefused(outcomes, rules) {
  const wrong = Object.entries(outcomes).flatMap(([name, { code, message = "", codes }]) => {
    const rule = rules?.[name] ?? { codes };
    if (!rule.codes.includes(code)) return [`${name}: ${code} ${message}; expected ${rule.codes.join(" or ")}`];
    return rule.says && !rule.says.test(message) ? [`${name}: the message does not say ${rule.says}: ${message}`] : [];
  });
  assert.deepEqual(wrong, []);
}

/** The slowest of the refusals, for the reader; what hangs has already failed. */
function slowest(outcomes) {
  const [name, { ms }] = Object.entries(outcomes).sort(([, a], [, b]) => b.ms - a.ms)[0];
  return `${Object.keys(outcomes).length} refusals, the slowest ${ms} ms (${name})`;
}

describe("bad input", () => {
  let browser, server, page;
  before(async () => {
    browser = await launchBrowser();
    server = await startServer({ mounts: { "/": ROOT }, isolated: true });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  describe("in a worker", () => {
    before(async () => { page = await openPage(browser, server, { device: "cpu" }); });
    after(() => page?.close());
    beforeEach(async () => assert.ok(await page.ask("stillAnswers")));
    afterEach(async () => {
      assert.ok(await page.ask("stillAnswers"), "the model beside it answers as before");
      assert.deepEqual(page.faults, []);
    });

    test("a file that lies is refused with its code", async (t) => {
      const outcomes = await page.ask("loadBadFiles");
      t.diagnostic(slowest(outcomes));
      assertRefused(outcomes, BAD_FILES);
    });

    test("a file cut at any byte of its header, or at 200 places of its data, is refused as corrupt", async (t) => {
      const { tried, wrong } = await page.ask("loadCutFiles", 1, 200);
      t.diagnostic(`${tried} cuts`);
      assert(tried > 5000, `${tried} cuts`);
      assert.deepEqual(wrong, []);
    });

    test("a real file cut in its header or its data is refused as corrupt", async () => {
      const { wrong } = await page.ask("loadCutModel", new URL(MODEL, server.url).href, 20, 10);
      assert.deepEqual(wrong, []);
    });

    test("a folder that lies is refused with its code", async (t) => {
      const outcomes = await page.ask("loadBadFolders", new URL("/tests/conformance/llama/", server.url).href);
      t.diagnostic(slowest(outcomes));
      assertRefused(outcomes);
    });

    test("a prompt, an id or an option that makes no sense is refused with its code", async (t) => {
      const outcomes = await page.ask("callBadly");
      t.diagnostic(slowest(outcomes));
      assertRefused(outcomes);
    });
  });

  describe("on the page itself", () => {
    before(async () => { page = await openPage(browser, server, { device: "cpu", worker: false, threads: 1 }); });
    after(() => page?.close());

    test("no file that lies makes the wasm memory grow by much", async () => {
      assert.ok(page.started.memory > 0, "the memory is seen");
      const outcomes = await page.ask("loadBadFiles");
      const large = Object.entries(outcomes).filter(([, { grown }]) => grown > LARGE);
      assert.deepEqual(large, []);
      assertRefused(outcomes, BAD_FILES);
      assert.ok(await page.ask("stillAnswers"));
    });

    test("cutting a file hundreds of times leaves the wasm memory as it was", async () => {
      const step = ALL ? 1 : 7;
      await page.ask("loadCutFiles", step, 10);
      const before = await page.ask("memory");
      await page.ask("loadCutFiles", step, 10);
      assert.equal(await page.ask("memory"), before);
    });
  });
});
