// Downloads under Node, from a server that does what servers do: sizes, parts, refusals, broken connections, start pages.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { tiny } from "./api-models.mjs";
import { serveBytes } from "./api-server.mjs";
import { llamaFolder, Loads } from "./support/loads.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(10);

describe("downloads", () => {
  const bytes = tiny();
  let loads, server, right;
  before(async () => {
    loads = await Loads.start();
    server = loads.server;
    loads.clear();
    server.files["/tiny.gguf"] = { bytes };
    ({ logits: right } = await loads.load("/tiny.gguf", { cache: false }));
  });
  after(() => loads.stop());
  beforeEach(() => {
    loads.clear();
    server.files["/tiny.gguf"] = { bytes };
  });
  const load = (options) => loads.load("/tiny.gguf", options);
  /** The first `count` requests are answered by `answer`, all others by the file as it is. */
  function first(count, answer) {
    let asked = 0;
    server.files["/tiny.gguf"] = (request, response) =>
      ++asked <= count ? answer(request, response) : serveBytes({ bytes }, request, response);
  }
  /** Half of what was asked, and then no more. */
  const breaking = (request, response) => serveBytes({ bytes, cut: new Promise(setImmediate) }, request, response);

  test("a file is asked for by its range, and its size is the one that the answer's range gives", async () => {
    const { logits, totals, asked } = await load();
    assert.deepEqual(logits, right);
    assert.deepEqual(asked, ["GET /tiny.gguf bytes=0-"]);
    assert.equal(totals["tiny.gguf"], bytes.length);
  });

  test("a server without ranges, and one that says no length", async () => {
    server.files["/tiny.gguf"] = { bytes, ranges: false };
    assert.deepEqual((await load()).logits, right);
    server.files["/tiny.gguf"] = { bytes, ranges: false, chunked: true, etag: '"2"' };
    const { logits, totals } = await load();
    assert.deepEqual(logits, right);
    assert.equal(totals["tiny.gguf"], undefined);
    assert.deepEqual(await loads.kept(), [{ path: "/tiny.gguf", bytes: bytes.length, complete: true }]);
  });

  test("where a request for a part fails altogether, one for the whole is made", async () => {
    server.files["/tiny.gguf"] = (request, response) =>
      request.headers.range === undefined ? serveBytes({ bytes }, request, response) : response.destroy();
    const { logits, asked } = await load();
    assert.deepEqual(logits, right);
    assert.deepEqual(asked, ["GET /tiny.gguf bytes=0-", "GET /tiny.gguf"]);
  });

  test("a compressed answer's length is not the file's", async () => {
    server.files["/tiny.gguf"] = (request, response) => {
      request.headers["accept-encoding"] = "gzip";
      return serveBytes({ bytes, ranges: false, gzip: true }, request, response);
    };
    assert.deepEqual((await load()).logits, right);
    assert.deepEqual(await loads.kept(), [{ path: "/tiny.gguf", bytes: bytes.length, complete: true }]);
  });

  test("a part that is shorter than was asked for is gone on from where it ends", async () => {
    server.files["/tiny.gguf"] = (request, response) => {
      const from = Number(/=(\d+)/.exec(request.headers.range)[1]);
      request.headers.range = `bytes=${from}-${from + 19_999}`;
      return serveBytes({ bytes }, request, response);
    };
    const { logits, asked } = await load();
    assert.deepEqual(logits, right);
    assert.deepEqual(asked.slice(0, 2), ["GET /tiny.gguf bytes=0-", "GET /tiny.gguf bytes=20000-"]);
  });

  test("a connection that breaks is taken up where it broke", async () => {
    first(1, breaking);
    const { logits, asked, notes } = await load({ retries: 1 });
    assert.deepEqual(logits, right);
    assert.deepEqual(asked, ["GET /tiny.gguf bytes=0-", `GET /tiny.gguf bytes=${bytes.length >> 1}-`]);
    assert.match(notes[0], /the connection broke after \d+ of \d+ bytes .*trying again/);
    assert.deepEqual((await load()).stages, ["read", "compile", "ready"]);
  });

  test("the count of retries starts anew where bytes have come", async () => {
    first(3, breaking);
    const { logits, asked } = await load({ retries: 1 });
    assert.deepEqual(logits, right);
    assert.equal(asked.length, 4);
  });

  test("a body that ends early is never whole, whatever the server said", async () => {
    server.files["/tiny.gguf"] = breaking;
    const { code, message } = await load();
    assert.equal(code, "network");
    assert.match(message, /tiny\.gguf: the connection broke after/);
    const [{ complete }] = await loads.kept();
    assert.equal(complete, false);
  });

  test("what ends early without having said its length is refused, not kept as whole, and right the next time", async () => {
    let end = bytes.length >> 1;
    const rude = createServer((socket) => socket.on("error", () => {}).once("data", (asked) => {
      socket.write("HTTP/1.0 200 OK\r\ncontent-type: application/octet-stream\r\netag: \"1\"\r\n\r\n");
      if (String(asked).startsWith("GET")) socket.write(bytes.subarray(0, end));
      socket.end();
    }));
    await new Promise((ready) => rude.listen(0, "127.0.0.1", ready));
    const url = new URL(`http://127.0.0.1:${rude.address().port}/a.gguf`);
    try {
      assert.equal((await loads.load(url)).code, "corrupt-file");
      assert.deepEqual((await loads.kept()).filter(({ complete }) => complete), []);
      end = bytes.length;
      assert.deepEqual((await loads.load(url)).logits, right);
      assert.deepEqual((await loads.load(url)).stages, ["read", "compile", "ready"]);
    } finally {
      rude.close();
    }
  });

  test("more than the server spoke of is no file", async () => {
    server.files["/tiny.gguf"] = (request, response) => {
      response.writeHead(206, { "content-range": `bytes 0-999/1000`, "content-type": "application/octet-stream" }).end(bytes);
    };
    const { code, message } = await load();
    assert.equal(code, "network");
    assert.match(message, /more came than the 1000 bytes/);
  });

  test("a part that begins elsewhere than asked is never spliced in", async () => {
    first(1, breaking);
    assert.equal((await load()).code, "network");
    server.files["/tiny.gguf"] = (request, response) => {
      const from = Number(/=(\d+)/.exec(request.headers.range ?? "")?.[1] ?? 0);
      if (from > 0) request.headers.range = `bytes=${from - 1000}-`;
      return serveBytes({ bytes }, request, response);
    };
    const { logits, asked } = await load();
    assert.deepEqual(logits, right);
    assert.deepEqual(asked, [`GET /tiny.gguf bytes=${bytes.length >> 1}-`, "GET /tiny.gguf bytes=0-"]);
    assert.deepEqual((await load()).logits, right);
  });

  test("a part that does not say where it begins is taken only if exactly so many bytes are missing", async () => {
    const quiet = (shift) => (request, response) => {
      const from = Number(/=(\d+)/.exec(request.headers.range)[1]);
      response.writeHead(206, { etag: '"1"', "content-type": "application/octet-stream", "content-length": bytes.length - from + (from && shift) })
        .end(bytes.subarray(from - (from && shift)));
    };
    first(1, breaking);
    await load();
    server.files["/tiny.gguf"] = quiet(0);
    assert.deepEqual((await load()).logits, right);
    loads.clear();
    first(1, breaking);
    await load();
    server.files["/tiny.gguf"] = quiet(1000);
    const { logits, asked } = await load();
    assert.deepEqual(logits, right);
    assert.deepEqual(asked, [`GET /tiny.gguf bytes=${bytes.length >> 1}-`, "GET /tiny.gguf bytes=0-"]);
  });

  test("half of a file that has changed since is thrown away", async () => {
    first(1, breaking);
    await load();
    const other = bytes.slice().fill(0, bytes.length - 100);
    server.files["/tiny.gguf"] = { bytes: other, etag: '"2"' };
    assert.equal((await load()).asked.at(-1), "GET /tiny.gguf bytes=0-");
    assert.deepEqual(await loads.kept(), [{ path: "/tiny.gguf", bytes: bytes.length, complete: true }]);
  });

  test("a copy that has all its bytes but is not marked as whole is not asked for behind its end", async () => {
    await load();
    loads.damage("notes", (text) => {
      const { copy, ...notes } = JSON.parse(text);
      return JSON.stringify({ ...notes, part: copy });
    });
    const { logits, asked } = await load();
    assert.deepEqual(logits, right);
    assert.deepEqual(asked, ["HEAD /tiny.gguf bytes=0-"]);
  });

  test("busy servers are asked again, after the pause that they ask for", async () => {
    for (const after of ["0", new Date(0).toUTCString()]) {
      loads.clear();
      const pauses = [];
      first(2, (_, response) => response.writeHead(pauses.push(after) > 1 ? 429 : 503, { "retry-after": after }).end());
      const { logits, notes } = await load({ retries: 2 });
      assert.deepEqual(logits, right);
      assert.deepEqual(notes.map((note) => /HTTP (\d+)/.exec(note)[1]), ["503", "429"]);
    }
  });

  test("a server that stays busy is a network error, after so many tries", async () => {
    server.files["/tiny.gguf"] = (_, response) => response.writeHead(503, { "retry-after": "0" }).end();
    const { code, message, asked } = await load({ retries: 3 });
    assert.equal(code, "network");
    assert.match(message, /HTTP 503/);
    assert.equal(asked.length, 4);
  });

  test("an abort ends the pause before the next try", async () => {
    const controller = new AbortController();
    server.files["/tiny.gguf"] = (_, response) => {
      response.writeHead(503, { "retry-after": "3600" }).end();
      setImmediate(() => controller.abort());
    };
    assert.equal((await load({ retries: 4, signal: controller.signal })).code, "aborted");
  });

  test("what no retry helps against is said at once", async () => {
    for (const status of [401, 404]) {
      server.files["/tiny.gguf"] = { bytes, status };
      const { code, message, asked } = await load({ retries: 4 });
      assert.equal(code, "network");
      assert.match(message, new RegExp(`HTTP ${status}`));
      assert.equal(asked.length, 1);
    }
  });

  test("a start page or nothing at all is not the file", async () => {
    const page = new TextEncoder().encode("\ufeff \n<!DOCTYPE html><html><title>Welcome</title>");
    for (const [what, file] of Object.entries({
      typed: { bytes: page, headers: { "content-type": "Text/HTML; charset=utf-8" } },
      untyped: { bytes: page, headers: { "content-type": undefined } },
      mistyped: { bytes: page },
      "in parts": { bytes: page, ranges: false },
    })) {
      server.files["/tiny.gguf"] = file;
      const { code, message } = await load();
      assert.equal(code, "network", what);
      assert.match(message, /HTML page where a file should be/, what);
    }
    for (const ranges of [true, false]) {
      server.files["/tiny.gguf"] = { bytes: new Uint8Array(), ranges };
      const { code, message } = await load();
      assert.equal(code, "network");
      assert.match(message, /nothing where a file should be/);
    }
    assert.deepEqual(loads.files(), { data: [], notes: [] });
  });

  test("a start page or nothing at all is no chat template either", async () => {
    Object.assign(server.files, llamaFolder());
    const { logits } = await loads.load("/m/");
    const page = { bytes: new TextEncoder().encode("<html><body>Not here"), headers: { "content-type": undefined } };
    for (const name of ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]) server.files[`/m/${name}`] = page;
    assert.deepEqual((await loads.load("/m/", { cache: false })).logits, logits);
    for (const name of ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]) server.files[`/m/${name}`] = { bytes: new Uint8Array(), ranges: false };
    assert.deepEqual((await loads.load("/m/", { cache: false })).logits, logits);
  });

  test("a Git LFS pointer is called one", async () => {
    const pointer = new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n");
    server.files["/tiny.gguf"] = { bytes: pointer };
    Object.assign(server.files, llamaFolder());
    server.files["/m/model.safetensors"] = { bytes: pointer };
    for (const source of ["/tiny.gguf", "/m/", { "model.gguf": pointer }, pointer]) {
      const { code, message } = await loads.load(source);
      assert.equal(code, "corrupt-file");
      assert.match(message, /is a Git LFS pointer.*git lfs pull/);
    }
  });

  test("a small file that is huge is refused by its name", async () => {
    Object.assign(server.files, llamaFolder());
    server.files["/m/chat_template.jinja"] = { bytes: new Uint8Array((4 << 20) + 1).fill(32) };
    server.files["/m/tokenizer.json"] = { bytes: new TextEncoder().encode("{}") };
    const { code, message } = await loads.load("/m/");
    assert.equal(code, "corrupt-file");
    assert.match(message, /chat_template\.jinja is over 4 MiB/);
  });

  test("an address with a percent sign of its own", async () => {
    const { code, message } = await loads.load(`${server.url}100%.gguf`);
    assert.equal(code, "network");
    assert.match(message, /100%\.gguf: HTTP/);
  });

  test("a file whose name every object has a member of needs no digest", async () => {
    const index = { weight_map: { "model.embed_tokens.weight": "constructor" } };
    Object.assign(server.files, llamaFolder());
    delete server.files["/m/model.safetensors"];
    server.files["/m/model.safetensors.index.json"] = { bytes: new TextEncoder().encode(JSON.stringify(index)) };
    server.files["/m/constructor"] = { bytes };
    const { code, message } = await loads.load("/m/");
    assert.equal(code, "corrupt-file", message);
  });

  test("inspect reads the header by ranges, and leaves early where there are none", async () => {
    const longer = new Uint8Array(3 << 20);
    longer.set(bytes);
    server.files["/tiny.gguf"] = { bytes: longer };
    assert.equal((await loads.inspect("/tiny.gguf")).architecture, "llama");
    assert.deepEqual(server.log, ["GET /tiny.gguf bytes=0-262143"]);
    // The second half never comes: who waits for it waits for ever.
    server.files["/tiny.gguf"] = { bytes: longer, ranges: false, held: new Promise(() => {}) };
    assert.equal((await loads.inspect("/tiny.gguf")).architecture, "llama");
    server.files["/tiny.gguf"] = (request, response) =>
      request.headers.range === undefined ? serveBytes({ bytes }, request, response) : response.destroy();
    assert.equal((await loads.inspect("/tiny.gguf")).architecture, "llama");
  });
});
