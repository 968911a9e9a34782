// Downloads in Chromium: what is kept, resumed, checked and asked for.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { tiny } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

describe("downloads", () => {
  const bytes = padded(tiny(), 3 << 20);
  let browser, server, context, page;
  /** Called with what has been loaded, as the page hears of it. */
  let heard = () => {};
  before(async () => {
    browser = await launchBrowser();
    server = await startApiServer({ isolated: false });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    server.files["/tiny.gguf"] = { bytes };
    server.log.length = 0;
    context = await browser.newContext();
    page = await context.newPage();
    await page.exposeFunction("heard", (loaded) => heard(loaded));
    await page.goto(server.url);
  });
  afterEach(() => context.close());

  /** Loads in the page, and says how that went and what was asked of the server. */
  async function load(path = "/tiny.gguf", options = {}) {
    server.log.length = 0;
    const outcome = await page.evaluate(async ([path, options]) => {
      const { CausalLM } = await import("/dist/index.js");
      const stages = new Set();
      const onProgress = ({ stage, loadedBytes }) => {
        stages.add(stage);
        globalThis.heard(loadedBytes);
      };
      try {
        const lm = await CausalLM.load(path, { ...options, onProgress });
        await lm.dispose();
        return { stages: [...stages] };
      } catch ({ code, message }) {
        return { code, message };
      }
    }, [path, options]);
    return { ...outcome, asked: [...server.log] };
  }
  /** A load whose connection breaks when some of the file has come. */
  async function loadBroken() {
    const cut = new Promise((resolve) => {
      heard = (loaded) => loaded > 0 && resolve();
    });
    server.files["/tiny.gguf"] = { bytes, cut };
    const { code } = await load();
    assert.equal(code, "network");
  }
  const kept = () => page.evaluate(async () => {
    const { cache } = await import("/dist/index.js");
    return (await cache.list()).map(({ url, bytes, complete }) => ({ path: new URL(url).pathname, bytes, complete }));
  });

  test("a file is downloaded once, and asked after from then on", async () => {
    assert.deepEqual(await load(), { stages: ["download", "compile", "ready"], asked: ["GET /tiny.gguf"] });
    assert.deepEqual(await kept(), [{ path: "/tiny.gguf", bytes: bytes.length, complete: true }]);
    assert.deepEqual(await load(), { stages: ["read", "compile", "ready"], asked: ["HEAD /tiny.gguf"] });
  });

  test("a file that has changed is downloaded again", async () => {
    await load();
    server.files["/tiny.gguf"] = { bytes, etag: '"2"' };
    assert.deepEqual((await load()).asked, ["HEAD /tiny.gguf", "GET /tiny.gguf"]);
    assert.deepEqual((await load()).asked, ["HEAD /tiny.gguf"]);
  });

  test("a kept file works offline", async () => {
    await load();
    await context.setOffline(true);
    assert.deepEqual(await load(), { stages: ["read", "compile", "ready"], asked: [] });
  });

  test("a download that broke off is a network error, and goes on where it was", async () => {
    await loadBroken();
    const [{ bytes: there, complete }] = await kept();
    assert(there > 0 && !complete);
    server.files["/tiny.gguf"] = { bytes };
    assert.deepEqual((await load()).asked, [`GET /tiny.gguf bytes=${there}-`]);
    assert.deepEqual((await load()).asked, ["HEAD /tiny.gguf"]);
  });

  test("half of a file that has changed since is thrown away", async () => {
    await loadBroken();
    server.files["/tiny.gguf"] = { bytes, etag: '"2"' };
    const { stages, asked } = await load();
    assert.deepEqual(stages, ["download", "compile", "ready"]);
    assert.equal(asked.at(-1), "GET /tiny.gguf");
  });

  test("a server without ranges sends everything again", async () => {
    await loadBroken();
    server.files["/tiny.gguf"] = { bytes, ranges: false };
    assert.deepEqual((await load()).stages, ["download", "compile", "ready"]);
  });

  test("nothing is kept where the caller does not want it", async () => {
    await load("/tiny.gguf", { cache: false });
    assert.deepEqual(await kept(), []);
  });

  test("deleting forgets one file, or all", async () => {
    server.files["/other.gguf"] = { bytes };
    await load();
    await load("/other.gguf");
    await page.evaluate(async () => (await import("/dist/index.js")).cache.delete("/tiny.gguf"));
    assert.deepEqual((await kept()).map(({ path }) => path), ["/other.gguf"]);
    await page.evaluate(async () => (await import("/dist/index.js")).cache.delete());
    assert.deepEqual(await kept(), []);
  });

  test("a file with a wrong SHA-256 is refused and not kept", async () => {
    const { code } = await load("/tiny.gguf", { integrity: { "tiny.gguf": "0".repeat(64) } });
    assert.equal(code, "integrity");
    assert.deepEqual(await kept(), []);
  });

  test("what is not a file is said in words", async () => {
    const missing = await load("/none.gguf");
    assert.equal(missing.code, "network");
    assert.match(missing.message, /none\.gguf: HTTP 404/);
    const folder = await load("/");
    assert.equal(folder.code, "missing-file");
    server.files["/start.gguf"] = { bytes: new TextEncoder().encode("<!doctype html>") };
    assert.equal((await load("/start.gguf")).code, "corrupt-file");
  });

  test("inspect reads the header by ranges, and leaves early where there are none", async () => {
    const inspect = () => page.evaluate(async () => (await (await import("/dist/index.js")).inspect("/tiny.gguf")).architecture);
    assert.equal(await inspect(), "llama");
    assert.deepEqual(server.log, ["GET /tiny.gguf bytes=0-262143"]);
    // The second half never comes: who waits for it waits for ever.
    server.files["/tiny.gguf"] = { bytes, ranges: false, held: new Promise(() => {}) };
    assert.equal(await inspect(), "llama");
  });

  test("an aborted download stops, and what came is kept", async () => {
    server.files["/tiny.gguf"] = { bytes, held: new Promise(() => {}) };
    const code = await page.evaluate(async () => {
      const { CausalLM } = await import("/dist/index.js");
      const controller = new AbortController();
      const onProgress = ({ loadedBytes }) => loadedBytes > 0 && controller.abort();
      return CausalLM.load("/tiny.gguf", { signal: controller.signal, onProgress }).then(() => "loaded", (error) => error.code);
    });
    assert.equal(code, "aborted");
    const [{ bytes: there, complete }] = await kept();
    assert(there > 0 && !complete);
  });
});

/** The same GGUF with bytes behind its tensors that belong to none of them. */
function padded(bytes, length) {
  const longer = new Uint8Array(length);
  longer.set(bytes);
  return longer;
}
