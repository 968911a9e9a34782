// The static server: what it gives out, and what it never does.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { STRICT_CSP } from "../scripts/serve.mjs";
import { deadline } from "./support/deadline.mjs";
import { startServer } from "./support/server.mjs";

deadline(5);

describe("the static server", () => {
  let folder, server;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "azulejo-server-"));
    mkdirSync(join(folder, "public"));
    writeFileSync(join(folder, "secret.txt"), "secret");
    writeFileSync(join(folder, "public", "index.html"), "<!doctype html>");
    writeFileSync(join(folder, "public", "letters.gguf"), "abcdefghij");
    writeFileSync(join(folder, "public", "code.wasm"), "");
    server = await startServer({ mounts: { "/": join(folder, "public") } });
  });
  after(async () => {
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const get = (path, headers) => fetch(new URL(path, server.url), { headers });

  /** The status of a path exactly as written: `fetch` would tidy it up. */
  const rawStatus = (path) => new Promise((done, failed) => {
    const { hostname, port } = new URL(server.url);
    request({ hostname, port, path }, (response) => done(response.resume().statusCode)).on("error", failed).end();
  });

  test("gives a folder's index and the types that browsers insist on", async () => {
    const types = { "/": "text/html; charset=utf-8", "/code.wasm": "application/wasm", "/letters.gguf": "application/octet-stream" };
    for (const [path, type] of Object.entries(types)) {
      const response = await get(path);
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get("content-type"), type, path);
    }
    assert.equal((await get("/nothing.html")).status, 404);
  });

  test("never leaves its folder, however the path is written", async () => {
    for (const path of ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/x/../../secret.txt", "/..\\secret.txt", "//../secret.txt", "/%", "/letters.gguf%00"]) {
      assert.equal(await rawStatus(path), 404, path);
    }
  });

  test("sends the bytes that a range asks for", async () => {
    const ranges = { "bytes=2-4": ["cde", "bytes 2-4/10"], "bytes=7-": ["hij", "bytes 7-9/10"], "bytes=-2": ["ij", "bytes 8-9/10"], "bytes=8-99": ["ij", "bytes 8-9/10"] };
    for (const [range, [text, place]] of Object.entries(ranges)) {
      const response = await get("/letters.gguf", { Range: range });
      assert.equal(response.status, 206, range);
      assert.equal(response.headers.get("content-range"), place);
      assert.equal(await response.text(), text);
    }
    const beyond = await get("/letters.gguf", { Range: "bytes=10-" });
    assert.equal(beyond.status, 416);
    assert.equal(beyond.headers.get("content-range"), "bytes */10");
  });

  test("knows whether a file has changed", async () => {
    const tag = (await get("/letters.gguf")).headers.get("etag");
    assert.equal((await get("/letters.gguf", { "If-None-Match": tag })).status, 304);
    assert.equal((await get("/letters.gguf", { "If-Range": tag, Range: "bytes=0-0" })).status, 206);
    assert.equal((await get("/letters.gguf", { "If-Range": "\"another\"", Range: "bytes=0-0" })).status, 200);
  });

  test("isolates pages and limits what they load, if asked to", async () => {
    assert.equal((await get("/")).headers.get("cross-origin-embedder-policy"), "require-corp");
    assert.equal((await get("/")).headers.get("content-security-policy"), null);
    const other = await startServer({ mounts: { "/": join(folder, "public") }, isolated: false, csp: true });
    try {
      const { headers } = await fetch(other.url);
      assert.equal(headers.get("cross-origin-embedder-policy"), null);
      assert.equal(headers.get("content-security-policy"), STRICT_CSP);
    } finally {
      await other.close();
    }
  });
});
