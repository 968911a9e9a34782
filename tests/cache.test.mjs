// What is kept of downloads, under Node in a folder: when it is believed, when it is thrown away, and what goes first.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { cache } from "../dist/index.js";
import { tiny } from "./api-models.mjs";
import { serveBytes } from "./api-server.mjs";
import { llamaFolder, Loads } from "./support/loads.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const READ = ["read", "compile", "ready"];
const DOWNLOADED = ["download", "compile", "ready"];
const GET = "GET /tiny.gguf bytes=0-";
const HEAD = "HEAD /tiny.gguf bytes=0-";

describe("the cache", () => {
  const bytes = tiny();
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  let loads, server, right;
  before(async () => {
    loads = await Loads.start();
    server = loads.server;
  });
  after(() => loads.stop());
  beforeEach(async () => {
    loads.clear();
    server.files["/tiny.gguf"] = { bytes };
    right ??= (await load({ cache: false })).logits;
  });
  const load = (options) => loads.load("/tiny.gguf", options);
  const complete = [{ path: "/tiny.gguf", bytes: bytes.length, complete: true }];

  describe("what is kept", () => {
    beforeEach(load);

    test("is read from then on, once the server has said that it still has it", async () => {
      const { logits, stages, asked, notes } = await load();
      assert.deepEqual({ logits, stages, asked, notes }, { logits: right, stages: READ, asked: [HEAD], notes: [] });
    });

    test("is downloaded again where the server has another version", async () => {
      for (const change of [{ etag: '"2"' }, { etag: '"2"', bytes: padded(bytes, 70_000) }]) {
        server.files["/tiny.gguf"] = { bytes, ...change };
        assert.deepEqual((await load()).asked, [HEAD, GET]);
        server.files["/tiny.gguf"] = { bytes };
        await load();
      }
    });

    test("is the same version where only its tag tells that it came compressed", async () => {
      for (const etag of ['W/"1"', '"1-gzip"', 'W/"1-br"']) {
        server.files["/tiny.gguf"] = { bytes, etag };
        assert.deepEqual((await load()).stages, READ);
      }
    });

    test("is not lost to an answer that says nothing of the file", async () => {
      for (const head of [401, 403, 404, 405, 410, 429, 500, 503]) {
        server.files["/tiny.gguf"] = { bytes, head };
        const { logits, stages, notes, asked } = await load();
        assert.deepEqual({ logits, stages, asked }, { logits: right, stages: READ, asked: [HEAD] });
        assert.match(notes.join(), new RegExp(`^tiny.gguf: HTTP ${head}.*the kept copy is used$`));
      }
      server.files["/tiny.gguf"] = { bytes, headers: { "content-type": "text/html" } };
      assert.match((await load()).notes.join(), /a page: the kept copy is used/);
      server.files["/tiny.gguf"] = (_, response) => response.destroy();
      assert.match((await load()).notes.join(), /no answer .*the kept copy is used/);
    });

    test("is used where nobody answers in time", async () => {
      server.files["/tiny.gguf"] = () => {};
      const { logits, stages, notes } = await load();
      assert.deepEqual({ logits, stages }, { logits: right, stages: READ });
      assert.match(notes.join(), /no answer within 3 s: the kept copy is used/);
    });

    test("stays, and is used, where the new version cannot be had", async () => {
      for (const status of [403, 404, 429, 503]) {
        server.files["/tiny.gguf"] = (request, response) =>
          serveBytes({ bytes, etag: '"2"', ...(request.method === "GET" && { status }) }, request, response);
        const { logits, stages, notes } = await load();
        assert.deepEqual({ logits, stages }, { logits: right, stages: READ });
        assert.match(notes.join(), /the kept copy is used/);
      }
      assert.deepEqual(await loads.kept(), complete);
    });

    test("stays until the new version is whole", async () => {
      server.files["/tiny.gguf"] = (request, response) =>
        serveBytes({ bytes, etag: '"2"', ...(request.method === "GET" && { cut: new Promise(setImmediate) }) }, request, response);
      assert.equal((await load()).code, "network");
      assert.deepEqual(await loads.kept(), complete);
      assert.deepEqual((await load({ revalidate: "never" })).logits, right);
      server.files["/tiny.gguf"] = { bytes, etag: '"2"' };
      assert.deepEqual((await load()).asked, [HEAD, `GET /tiny.gguf bytes=${bytes.length >> 1}-`]);
      assert.equal(loads.files().data.length, 1);
    });

    test("is rid of what somebody has left who ended while writing its notes", async () => {
      const before = loads.files();
      writeFileSync(join(loads.folder, `${before.notes[0]}.begun`), "");
      assert.deepEqual((await load()).asked, [HEAD]);
      assert.deepEqual(loads.files(), before);
    });

    test("is asked after as `revalidate` says", async () => {
      assert.deepEqual((await load({ revalidate: "never" })).asked, []);
      assert.deepEqual((await load({ revalidate: 3_600_000 })).asked, []);
      assert.deepEqual((await load({ revalidate: "always" })).asked, [HEAD]);
      loads.damage("notes", (text) => String(text).replace(/"checked":\d+/, `"checked":${Date.now() - 7_200_000}`));
      assert.deepEqual((await load({ revalidate: 3_600_000 })).asked, [HEAD]);
      assert.deepEqual((await load({ revalidate: 3_600_000 })).asked, []);
    });

    test("heals where it was damaged", async () => {
      for (const damage of [
        (data) => data.fill(7, 0, 4),
        (data) => data.fill(0xff, 40, 400),
      ]) {
        loads.damage("data", damage);
        const { logits, notes, asked } = await load();
        assert.deepEqual({ logits, asked }, { logits: right, asked: [HEAD, GET] });
        assert.match(notes.at(-1), /reading again from the network/);
        assert.deepEqual((await load()).asked, [HEAD]);
      }
    });

    test("counts as nothing where bytes are missing, or its notes are no notes", async () => {
      for (const [kind, damage] of [
        ["data", (data) => data.subarray(0, 20_000)],
        ["data", () => Buffer.alloc(0)],
        ["notes", () => "null"],
        ["notes", () => "[]"],
        ["notes", () => "{"],
        ["notes", () => ""],
        ["notes", (text) => JSON.stringify({ ...JSON.parse(text), format: 999 })],
        ["notes", (text) => JSON.stringify({ ...JSON.parse(text), copy: 5 })],
      ]) {
        loads.clear();
        server.files["/tiny.gguf"] = { bytes };
        await load();
        loads.damage(kind, damage);
        const { logits, asked } = await load();
        assert.deepEqual({ logits, asked }, { logits: right, asked: [GET] });
        assert.deepEqual((await load()).asked, [HEAD]);
      }
    });

    test("is compared with its digest, and read again from the network where it is another", async () => {
      const integrity = { "tiny.gguf": sha256 };
      assert.deepEqual((await load({ integrity })).asked, [HEAD]);
      // A weight's byte, which the format would not notice.
      loads.damage("data", (data) => data.fill(data.at(-40) ^ 1, data.length - 40, data.length - 39));
      assert.deepEqual((await load()).stages, READ);
      const { logits, asked } = await load({ integrity });
      assert.deepEqual({ logits, asked }, { logits: right, asked: [HEAD, GET] });
      assert.deepEqual((await load({ integrity })).asked, [HEAD]);
    });

    test("fails once and for all where the server's file is wrong too", async () => {
      loads.damage("data", (data) => data.fill(7, 0, 4));
      server.files["/tiny.gguf"] = { bytes: padded(bytes, bytes.length).fill(7, 0, 4) };
      const { code, asked } = await load();
      assert.equal(code, "corrupt-file");
      assert.deepEqual(asked, [HEAD, GET]);
    });

    test("is listed with its last use, counted, and deleted by its address", async () => {
      const [{ url, lastUsed }] = await cache.list();
      assert(lastUsed instanceof Date && Math.abs(lastUsed - Date.now()) < 600_000);
      const { used } = await cache.size();
      assert(used >= bytes.length && used < bytes.length + 10_000);
      assert.equal(await cache.persist(), true);
      await assert.rejects(cache.delete(5), { code: "invalid-argument" });
      await cache.delete(`${url}?other`);
      assert.deepEqual(await loads.kept(), complete);
      await cache.delete(url);
      assert.deepEqual(loads.files(), { data: [], notes: [] });
    });
  });

  test("inspect reads what is kept, and keeps the small files that it reads, unless it is told not to", async () => {
    Object.assign(server.files, llamaFolder());
    await loads.inspect("/m/", { cache: false });
    assert.deepEqual(loads.files(), { data: [], notes: [] });
    await loads.inspect("/m/");
    assert.deepEqual((await loads.kept()).map(({ path }) => path), ["/m/config.json"]);
    await load();
    await loads.inspect("/tiny.gguf", { revalidate: "never" });
    assert.deepEqual(server.log, []);
  });

  test("an address with a commit's hash is asked for once", async () => {
    const path = `/org/name/resolve/${"0123456789".repeat(4)}/tiny.gguf`;
    server.files[path] = { bytes };
    await loads.load(path);
    assert.deepEqual((await loads.load(path)).asked, []);
  });

  test("a wrong digest is refused, and nothing of it kept", async () => {
    assert.equal((await load({ integrity: { "tiny.gguf": "0".repeat(64) } })).code, "integrity");
    assert.deepEqual(loads.files(), { data: [], notes: [] });
  });

  test("signed addresses share a key", async () => {
    for (const signature of ["a", "b"]) {
      await loads.load(`/tiny.gguf?signature=${signature}`, { cacheKey: "my model" });
      assert.equal(loads.files().data.length, 1);
    }
    assert.deepEqual((await loads.load("/tiny.gguf?signature=c", { cacheKey: "my model" })).stages, READ);
    Object.assign(server.files, llamaFolder());
    await loads.load("/m/?a", { cacheKey: "my folder" });
    assert.deepEqual((await loads.load("/m/?b", { cacheKey: "my folder" })).stages, READ);
    await cache.delete("my folder");
    assert.deepEqual((await loads.kept()).map(({ path }) => path), ["/tiny.gguf"]);
    await cache.delete("my model");
    assert.equal(loads.files().data.length, 0);
  });

  describe("a folder", () => {
    const OPTIONAL = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"].map((name) => `/m/${name}`);
    let whole;
    beforeEach(async () => {
      Object.assign(server.files, llamaFolder());
      whole = await loads.load("/m/");
    });

    test("leaves notes of what is missing, and no empty files", async () => {
      // They are asked for side by side: in whatever order.
      const asked = whole.asked.filter((line) => OPTIONAL.some((path) => line.includes(path)));
      assert.deepEqual(asked.sort(), OPTIONAL.map((path) => `GET ${path}`).sort());
      assert.equal(loads.files().data.length, 2);
      assert.deepEqual((await loads.kept()).map(({ path }) => path), ["/m/config.json", "/m/model.safetensors"]);
    });

    test("asks nothing at all where nothing is to be asked after", async () => {
      for (const revalidate of ["never", 3_600_000]) {
        const { logits, asked, stages } = await loads.load("/m/", { revalidate });
        assert.deepEqual({ logits, asked, stages }, { logits: whole.logits, asked: [], stages: READ });
      }
    });

    test("asks after what is missing with HEAD, and finds it once it is there", async () => {
      const asked = (await loads.load("/m/")).asked.sort();
      assert.deepEqual(asked.filter((line) => line.startsWith("GET")), []);
      server.files["/m/chat_template.jinja"] = { bytes: new TextEncoder().encode("{{ messages }}") };
      assert((await loads.load("/m/")).asked.includes("GET /m/chat_template.jinja bytes=0-"));
    });

    test("loads where the network is gone", async () => {
      for (const path of OPTIONAL) server.files[path] = (_, response) => response.destroy();
      for (const path of ["/m/config.json", "/m/model.safetensors"]) server.files[path] = (_, response) => response.destroy();
      assert.deepEqual((await loads.load("/m/")).logits, whole.logits);
    });

    test("loads where the network is gone and nobody knows what is missing", async () => {
      for (const path of OPTIONAL) {
        await cache.delete(new URL(path, server.url).href);
        server.files[path] = (_, response) => response.destroy();
      }
      assert.deepEqual((await loads.load("/m/")).logits, whole.logits);
    });

    test("that was empty is looked at again", async () => {
      const files = { "/m/config.json": server.files["/m/config.json"] };
      delete server.files["/m/config.json"];
      await cache.delete();
      assert.equal((await loads.load("/m/")).code, "missing-file");
      Object.assign(server.files, files);
      assert.deepEqual((await loads.load("/m/", { revalidate: "never" })).logits, whole.logits);
    });
  });

  test("two loads at once download a file once", async () => {
    let release;
    const held = new Promise((resolve) => { release = resolve; });
    server.files["/tiny.gguf"] = { bytes, held };
    // Once the second one waits, the first may go on.
    const onNote = (note) => note.includes("another load is at it: waiting") && release();
    const [one, other] = await Promise.all([load({ onNote }), load({ onNote })]);
    assert.deepEqual([one.logits, other.logits], [right, right]);
    assert.deepEqual(server.log.filter((line) => line.startsWith("GET")), [GET]);
  });

  test("two processes at once share a folder", async () => {
    let release;
    const held = new Promise((resolve) => { release = resolve; });
    let asking = 0;
    server.files["/tiny.gguf"] = (request, response) => {
      if (++asking === 2) release();
      return serveBytes({ bytes, held }, request, response);
    };
    const script = `
      const { CausalLM } = await import(${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)});
      const lm = await CausalLM.load(${JSON.stringify(`${server.url}tiny.gguf`)}, { retries: 0 });
      const { data } = await lm.logits([3, 4, 5]);
      console.log(JSON.stringify([...data.slice(0, 4)]));
      await lm.engine.dispose();`;
    const run = () => promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { env: process.env });
    const outputs = await Promise.all([run(), run()]);
    for (const { stdout } of outputs) assert.deepEqual(JSON.parse(stdout), right);
    server.files["/tiny.gguf"] = { bytes };
    const { logits, stages } = await load();
    assert.deepEqual({ logits, stages }, { logits: right, stages: READ });
  });

  test("what is being read is not deleted", async () => {
    await load();
    let release;
    const held = new Promise((resolve) => { release = resolve; });
    server.files["/tiny.gguf"] = { bytes, etag: '"2"', held };
    const loading = load();
    await new Promise((asked) => {
      const file = server.files["/tiny.gguf"];
      server.files["/tiny.gguf"] = (request, response) => {
        if (request.method === "GET") asked();
        return serveBytes(file, request, response);
      };
    });
    await assert.rejects(cache.delete(), { code: "invalid-argument", message: /in use/ }).finally(release);
    assert.deepEqual((await loading).logits, right);
    await cache.delete();
    assert.deepEqual(loads.files(), { data: [], notes: [] });
  });

  test("it lies where the platform has such things, unless AZULEJO_CACHE says where", { skip: process.platform !== "linux" }, async () => {
    process.env.XDG_CACHE_HOME = loads.folder;
    delete process.env.AZULEJO_CACHE;
    await load();
    loads.folder = join(loads.folder, "azulejo");
    assert.equal(loads.files().data.length, 1);
  });

  test("a folder that cannot be made or written is no reason to fail", async () => {
    rmSync(loads.folder, { recursive: true });
    writeFileSync(loads.folder, "a file");
    assert.deepEqual((await load()).stages, DOWNLOADED);
    assert.deepEqual(await cache.list(), []);
    assert.deepEqual(await cache.size(), { used: 0 });
  });
});

/** The same GGUF with bytes behind its tensors that belong to none of them. */
function padded(bytes, length) {
  const longer = new Uint8Array(length);
  longer.set(bytes);
  return longer;
}
