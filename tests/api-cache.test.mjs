// Downloads in Chromium: what is kept in its private file system, shared between tabs, resumed and asked for.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { tiny } from "./api-models.mjs";
import { serveBytes, startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { llamaFolder } from "./support/loads.mjs";

deadline(15);

const READ = ["read", "compile", "ready"];
const DOWNLOADED = ["download", "compile", "ready"];
const GET = "GET /tiny.gguf bytes=0-";
const HEAD = "HEAD /tiny.gguf bytes=0-";

describe("downloads in a browser", () => {
  const bytes = padded(tiny(), 3 << 20);
  let browser, server, other, context, page;
  let heard = () => {};
  before(async () => {
    browser = await launchBrowser();
    server = await startApiServer({ isolated: false, policy: false });
    // Of another origin: what it does not expose is not seen.
    other = await startApiServer({ isolated: false, policy: false });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    await other?.close();
  });
  beforeEach(async () => {
    for (const { files, log } of [server, other]) {
      for (const path of Object.keys(files)) delete files[path];
      log.length = 0;
    }
    server.files["/tiny.gguf"] = { bytes };
    context = await browser.newContext();
    await context.exposeFunction("heard", () => heard());
    page = await context.newPage();
    await page.goto(server.url);
  });
  afterEach(() => context.close());

  /** Loads in a page, and says how that went and what was asked of the servers. */
  async function load(path = "/tiny.gguf", options = {}, tab = page) {
    server.log.length = other.log.length = 0;
    const outcome = await tab.evaluate(loadHere, [path, options]);
    return { ...outcome, asked: [...server.log, ...other.log] };
  }
  const kept = () => page.evaluate(async () => {
    const { cache } = await import("/dist/index.js");
    return (await cache.list()).map(({ url, bytes, complete }) => ({ path: new URL(url).pathname, bytes, complete }));
  });
  /** When the page has heard of the first bytes. */
  const seen = () => new Promise((resolve) => { heard = resolve; });
  /** How many files of data and of notes there are. */
  const files = () => page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("azulejo");
    const names = [];
    for await (const name of folder.keys()) names.push(name);
    const notes = names.filter((name) => name.endsWith(".json")).length;
    return { data: names.length - notes, notes };
  });
  /** The digests of the files of data. */
  const digests = () => page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("azulejo");
    const found = [];
    for await (const [name, handle] of folder.entries()) {
      if (name.endsWith(".json")) continue;
      const digest = await crypto.subtle.digest("SHA-256", await (await handle.getFile()).arrayBuffer());
      found.push(Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join(""));
    }
    return found;
  });
  const digest = createHash("sha256").update(bytes).digest("hex");
  const complete = [{ path: "/tiny.gguf", bytes: bytes.length, complete: true }];
  /** Open to every origin, as a CDN is; without what would have to be exposed. */
  const cors = { "access-control-allow-origin": "*", "access-control-allow-headers": "*" };
  const elsewhere = (path) => new URL(path, other.url).href;

  test("a file is downloaded once, and asked after from then on", async () => {
    const first = await load();
    assert.deepEqual([first.stages, first.asked], [DOWNLOADED, [GET]]);
    assert.deepEqual(await kept(), complete);
    const second = await load();
    assert.deepEqual([second.stages, second.asked, second.answer], [READ, [HEAD], first.answer]);
    assert.deepEqual(await digests(), [digest]);
  });

  test("a page's own thread has the same cache", async () => {
    const first = await load("/tiny.gguf", { worker: false });
    assert.deepEqual([first.stages, await kept()], [DOWNLOADED, complete]);
    assert.deepEqual((await load("/tiny.gguf", { worker: false })).stages, READ);
    assert.deepEqual((await load()).stages, READ);
  });

  test("a file that has changed is downloaded again, and the old one goes", async () => {
    await load();
    server.files["/tiny.gguf"] = { bytes, etag: '"2"' };
    assert.deepEqual((await load()).asked, [HEAD, GET]);
    assert.deepEqual((await load()).asked, [HEAD]);
    assert.deepEqual(await files(), { data: 1, notes: 1 });
  });

  test("a kept file, and a kept folder, load offline with no request at all", async () => {
    Object.assign(server.files, llamaFolder());
    const online = [await load(), await load("/m/")];
    await context.setOffline(true);
    const offline = [await load(), await load("/m/")];
    assert.deepEqual(offline.map(({ answer, stages, asked }) => ({ answer, stages, asked })),
      online.map(({ answer }) => ({ answer, stages: READ, asked: [] })));
  });

  test("a download that broke off is a network error, and goes on where it was", async () => {
    const { answer } = await load("/tiny.gguf", { cache: false });
    server.files["/tiny.gguf"] = { bytes, cut: seen() };
    assert.equal((await load()).code, "network");
    const [{ bytes: there, complete: whole }] = await kept();
    assert(there > 0 && !whole);
    server.files["/tiny.gguf"] = { bytes };
    const second = await load();
    assert.deepEqual([second.asked, second.answer], [[`GET /tiny.gguf bytes=${there}-`], answer]);
    assert.deepEqual(await digests(), [digest], "byte by byte, where it was taken up too");
    assert.deepEqual((await load()).answer, answer);
  });

  test("an aborted download stops, and what came is kept", async () => {
    server.files["/tiny.gguf"] = { bytes, held: new Promise(() => {}) };
    assert.equal((await load("/tiny.gguf", { abortAt: 1 })).code, "aborted");
    const [{ bytes: there, complete: whole }] = await kept();
    assert(there > 0 && !whole);
  });

  test("two tabs share one download and one copy", async () => {
    const tab = await context.newPage();
    await tab.goto(server.url);
    let release;
    server.files["/tiny.gguf"] = { bytes, held: new Promise((resolve) => { release = resolve; }) };
    // The tab that waits says so; then the other's download may end.
    await context.exposeFunction("waits", () => release());
    const both = await Promise.all([load("/tiny.gguf", {}, page), load("/tiny.gguf", {}, tab)]);
    assert.deepEqual(both.map(({ stages }) => stages.join()).sort(), [DOWNLOADED.join(), READ.join()]);
    assert.deepEqual(server.log.filter((line) => line.startsWith("GET")), [GET]);
    server.files["/tiny.gguf"] = { bytes };
    const again = await Promise.all([load("/tiny.gguf", {}, page), load("/tiny.gguf", {}, tab)]);
    assert.deepEqual(again.map(({ stages }) => stages), [READ, READ]);
    assert.deepEqual(await digests(), [digest]);
  });

  test("no room is no reason to fail", async () => {
    const { answer } = await load("/tiny.gguf", { cache: false });
    for (const quotaSize of [1, 1 << 20]) {
      await quota(quotaSize);
      for (const worker of [true, false]) {
        const outcome = await load("/tiny.gguf", { worker });
        assert.deepEqual([outcome.answer, await kept()], [answer, []]);
      }
    }
  });

  test("what was used longest ago makes room for what comes", async () => {
    for (const name of ["a", "b", "c"]) server.files[`/${name}.gguf`] = { bytes };
    await quota(8 << 20);
    for (const name of ["a", "b", "a", "c"]) assert.equal((await load(`/${name}.gguf`)).code, undefined);
    assert.deepEqual((await kept()).map(({ path }) => path).sort(), ["/a.gguf", "/c.gguf"]);
    const { used, quota: most } = await page.evaluate(async () => (await import("/dist/index.js")).cache.size());
    assert(used >= 2 * bytes.length && used < 7 << 20);
    // Browsers round it, so that nobody is known by it.
    assert.equal(typeof most, "number");
    assert.equal(await page.evaluate(async () => typeof (await (await import("/dist/index.js")).cache.persist())), "boolean");
  });
  async function quota(quotaSize) {
    const session = await context.newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(server.url).origin, quotaSize });
  }

  test("signed addresses that change share a copy under a key", async () => {
    await load("/tiny.gguf?signature=1", { cacheKey: "mine" });
    assert.deepEqual((await load("/tiny.gguf?signature=2", { cacheKey: "mine" })).stages, READ);
    assert.equal((await files()).data, 1);
    // Whoever signs GET only refuses HEAD.
    server.files["/tiny.gguf"] = { bytes, head: 403 };
    assert.deepEqual((await load("/tiny.gguf?signature=3", { cacheKey: "mine" })).stages, READ);
    await page.evaluate(async () => (await import("/dist/index.js")).cache.delete("mine"));
    assert.deepEqual(await kept(), []);
  });

  test("a server of another origin that compresses", async () => {
    const folder = llamaFolder();
    for (const name of ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "tokenizer.model", "generation_config.json"]) other.files[`/m/${name}`] = { status: 404, headers: cors };
    for (const [path, file] of Object.entries(folder)) other.files[path] = { ...file, gzip: true, headers: cors };
    const first = await load(elsewhere("/m/"));
    assert.deepEqual(first.stages, DOWNLOADED, JSON.stringify(first));
    assert.deepEqual((await load(elsewhere("/m/"))).stages, READ);
    // The same without ranges: its lengths are those of what it has compressed, and it does not say so.
    for (const [path, file] of Object.entries(folder)) other.files[path] = { ...file, gzip: true, ranges: false, etag: '"2"', headers: cors };
    await page.evaluate(async () => (await import("/dist/index.js")).cache.delete());
    const second = await load(elsewhere("/m/"));
    assert.deepEqual([second.stages, second.answer], [DOWNLOADED, first.answer]);
    const third = await load(elsewhere("/m/"));
    assert.deepEqual([third.stages, third.answer], [READ, first.answer]);
  });

  test("a server of another origin that refuses requests for parts", async () => {
    other.files["/tiny.gguf"] = (request, response) => {
      // The browser asks nobody's leave for such a range; this server hangs up on it.
      if (request.headers.range !== undefined) return response.destroy();
      return serveBytes({ bytes, ranges: false, headers: cors }, request, response);
    };
    assert.deepEqual((await load(elsewhere("/tiny.gguf"), { retries: 0 })).stages, DOWNLOADED);
    assert.deepEqual((await load(elsewhere("/tiny.gguf"), { retries: 0 })).stages, READ);
  });

  test("a redirect to another origin", async () => {
    other.files["/stored.gguf"] = { bytes, headers: { ...cors, "access-control-expose-headers": "etag, content-range" } };
    server.files["/tiny.gguf"] = (_, response) => response.writeHead(302, { location: elsewhere("/stored.gguf") }).end();
    const first = await load();
    assert.deepEqual([first.stages, first.asked], [DOWNLOADED, [GET, "GET /stored.gguf bytes=0-"]]);
    const second = await load();
    assert.deepEqual([second.stages, second.answer], [READ, first.answer]);
    assert.deepEqual(await kept(), complete);
  });

  test("a server without ranges sends everything again", async () => {
    server.files["/tiny.gguf"] = { bytes, ranges: false, cut: seen() };
    assert.equal((await load()).code, "network");
    server.files["/tiny.gguf"] = { bytes, ranges: false };
    assert.deepEqual((await load()).stages, DOWNLOADED);
    assert.deepEqual((await load()).stages, READ);
  });

  test("a damaged copy heals", async () => {
    const { answer } = await load();
    await page.evaluate(async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("azulejo");
      for await (const [name, handle] of folder.entries()) {
        if (name.endsWith(".json")) continue;
        const stream = await handle.createWritable({ keepExistingData: true });
        await stream.write({ type: "write", position: 0, data: new Uint8Array([1, 2, 3, 4]) });
        await stream.close();
      }
    });
    const healed = await load();
    assert.deepEqual([healed.answer, healed.asked], [answer, [HEAD, GET]]);
    assert.deepEqual(await digests(), [digest]);
    assert.deepEqual((await load()).asked, [HEAD]);
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
    assert.deepEqual(await files(), { data: 0, notes: 0 });
  });

  test("what other sites have kept is read by its digest, and offered to them", async () => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const integrity = { "tiny.gguf": sha256 };
    // A stand-in for Cross-Origin Storage, which no browser has yet: files by their digests.
    await page.evaluate(standInForCrossOriginStorage);
    const first = await load("/tiny.gguf", { integrity, worker: false });
    assert.deepEqual(first.asked, [GET]);
    assert.deepEqual(await page.evaluate(() => [...globalThis.shared.keys()]), [sha256]);
    await page.evaluate(async () => (await import("/dist/index.js")).cache.delete());
    const second = await load("/tiny.gguf", { integrity, worker: false });
    assert.deepEqual([second.stages, second.asked, second.answer], [READ, [], first.answer]);
    // One that lies is found out.
    await page.evaluate((sha256) => globalThis.shared.set(sha256, new Blob(["no model"])), sha256);
    const third = await load("/tiny.gguf", { integrity, worker: false });
    assert.deepEqual([third.asked, third.answer], [[GET], first.answer]);
  });
});

/** Runs in a page. */
async function loadHere([path, { worker = true, abortAt, ...options }]) {
  const { CausalLM, Engine } = await import("/dist/index.js");
  const engine = ((globalThis.engines ??= {})[worker] ??= await Engine.create({ worker, device: "cpu", threads: 1 }));
  const stages = new Set();
  const notes = [];
  const controller = new AbortController();
  const onProgress = ({ stage, loadedBytes, note }) => {
    // Who waits a moment for the notes may be the one that downloads in the end: that it waits is no stage.
    if (!/waiting/.test(note)) stages.add(stage);
    if (loadedBytes > 0) globalThis.heard();
    if (loadedBytes >= abortAt) controller.abort();
    if (note === undefined) return;
    notes.push(note);
    if (/waiting/.test(note)) globalThis.waits?.();
  };
  try {
    const lm = await CausalLM.load(path, { retries: 0, ...options, engine, signal: controller.signal, onProgress });
    const { data } = await lm.logits([3, 4, 5]);
    await lm.dispose();
    return { stages: [...stages], notes, answer: [...data.slice(0, 4)] };
  } catch ({ code, message }) {
    return { code, message, notes };
  }
}

/** Runs in a page. */
function standInForCrossOriginStorage() {
  const shared = (globalThis.shared = new Map());
  const handle = (value) => ({
    getFile: async () => shared.get(value),
    async createWritable() {
      const parts = [];
      return { write: async (part) => void parts.push(part), close: async () => void shared.set(value, new Blob([await new Blob(parts).arrayBuffer()])) };
    },
  });
  navigator.crossOriginStorage = {
    async requestFileHandles(hashes, { create = false } = {}) {
      return hashes.map(({ algorithm, value }) => {
        if (algorithm !== "SHA-256" || (!create && !shared.has(value))) throw new DOMException("not here", "NotFoundError");
        return handle(value);
      });
    },
  };
}

/** The same GGUF with bytes behind its tensors that belong to none of them. */
function padded(bytes, length) {
  const longer = Uint8Array.from({ length }, (_, at) => (at * at) >> 8);
  longer.set(bytes);
  return longer;
}
