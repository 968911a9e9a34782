// A model hub, from a local server that answers at a hub's addresses; and folders with several GGUF files.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { tiny } from "./api-models.mjs";
import { serveBytes, startApiServer } from "./api-server.mjs";
import { llamaFolder, Loads } from "./support/loads.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const TREE = "/api/models/org/name/tree/main";

describe("a hub", () => {
  const bytes = tiny();
  let loads, server, storage, right, endpoint;
  /** [path, authorization] of each request. */
  const authorized = [];
  before(async () => {
    loads = await Loads.start();
    server = loads.server;
    endpoint = server.url;
    storage = await startApiServer({ isolated: false });
    loads.clear();
    ({ logits: right } = await loads.load(bytes));
  });
  after(async () => {
    await loads.stop();
    await storage?.close();
  });
  beforeEach(() => {
    loads.clear();
    authorized.length = 0;
    delete storage.files["/stored.gguf"];
  });
  /** Puts files where a hub has them. */
  function hold(names, revision = "main", listed = names) {
    for (const name of names) {
      server.files[`/org/name/resolve/${revision}/${name}`] = (request, response) => {
        authorized.push([name, request.headers.authorization]);
        return serveBytes({ bytes }, request, response);
      };
    }
    const entries = [{ type: "directory", path: "sub" }, ...listed.map((path) => ({ type: "file", path, size: bytes.length }))];
    // Two pages, of which the first says where the second is.
    server.files[`/api/models/org/name/tree/${revision}`] = (request, response) => {
      authorized.push(["tree", request.headers.authorization]);
      const { searchParams } = new URL(request.url, endpoint);
      assert.equal(searchParams.get("recursive"), "true");
      response.setHeader("content-type", "application/json");
      if (searchParams.has("cursor")) return response.end(JSON.stringify(entries.slice(2)));
      response.setHeader("link", `<${endpoint}api/models/org/name/tree/${encodeURIComponent(revision)}?recursive=true&cursor=2>; rel="next"`);
      return response.end(JSON.stringify(entries.slice(0, 2)));
    };
  }
  const load = (source, options) => loads.load(source, { endpoint, ...options });

  test("a folder in Hugging Face's layout, and one file of a repository", async () => {
    Object.assign(server.files, llamaFolder("/org/name/resolve/main/"));
    const { asked, code } = await load("hf:org/name");
    assert.equal(code, undefined);
    assert.equal(asked[0], "GET /org/name/resolve/main/config.json bytes=0-");
    hold(["sub/a.gguf"]);
    assert.deepEqual((await load("hf:org/name/sub/a.gguf")).logits, right);
  });

  test("a revision with slashes is encoded once", async () => {
    hold(["a.gguf"], "refs/pr/1");
    const path = "/org/name/resolve/refs%2Fpr%2F1/a.gguf";
    const asked = [];
    const file = server.files["/org/name/resolve/refs/pr/1/a.gguf"];
    server.files["/org/name/resolve/refs/pr/1/a.gguf"] = (request, response) => {
      asked.push(request.url);
      return file(request, response);
    };
    assert.deepEqual((await load("hf:org/name@refs/pr/1/a.gguf")).logits, right);
    assert.deepEqual(asked, [path]);
  });

  test("the only GGUF file of a repository is found", async () => {
    hold(["README.md", "a-Q4_K_M.gguf"]);
    const { logits, asked } = await load("hf:org/name");
    assert.deepEqual(logits, right);
    assert.deepEqual(asked.filter((line) => line.includes("tree")), [`GET ${TREE}`, `GET ${TREE}`]);
  });

  test("of several, the one that `quant` or `file` says", async () => {
    const names = ["a-Q4_K_M.gguf", "a-Q4_K_S.gguf", "a-Q8_0.gguf", "mmproj-a-Q8_0.gguf"];
    hold(names);
    for (const [options, name] of [
      [{ quant: "Q4_K_M" }, names[0]],
      [{ quant: "q4_k_s" }, names[1]],
      [{ quant: "Q8_0" }, names[2]],
      [{ file: names[1] }, names[1]],
    ]) {
      const { logits, asked } = await load("hf:org/name", options);
      assert.deepEqual(logits, right);
      assert(asked.some((line) => line.includes(` /org/name/resolve/main/${name} `)), `${name}: ${asked}`);
    }
    // What is named need not be looked for.
    assert.deepEqual((await load("hf:org/name", { file: names[0], revalidate: "never" })).asked, []);
  });

  test("of several and no word which, the caller is asked", async () => {
    const many = Array.from({ length: 24 }, (_, n) => `a-${n}.gguf`);
    hold(["a-Q4_0.gguf", ...many]);
    for (const [options, says] of [
      [{}, /there are 25 GGUF files in org\/name: say with "file" or "quant".*a-0\.gguf.*and 5 more/],
      [{ quant: "Q9" }, /no GGUF file in org\/name is "Q9"/],
      [{ quant: "a" }, /24|25 files in org\/name are "a": say with "file"/],
    ]) {
      const { code, message } = await load("hf:org/name", options);
      assert.equal(code, "invalid-argument");
      assert.match(message, says);
    }
    assert.equal((await load("hf:org/name", { file: "b.gguf" })).code, "network");
  });

  test("a repository of GGUF files may have a configuration too", async () => {
    hold(["config.json", "a-Q4_0.gguf"]);
    server.files["/api/models/org/name-GGUF/tree/main"] = (_, response) =>
      response.setHeader("content-type", "application/json").end(JSON.stringify([{ type: "file", path: "config.json" }, { type: "file", path: "a-Q4_0.gguf" }]));
    server.files["/org/name-GGUF/resolve/main/a-Q4_0.gguf"] = { bytes };
    assert.deepEqual((await load("hf:org/name-GGUF")).logits, right);
  });

  test("the token goes to the hub, and nowhere else", async () => {
    hold(["a-Q4_0.gguf"]);
    const elsewhere = [];
    storage.files["/stored.gguf"] = (request, response) => {
      elsewhere.push(request.headers.authorization);
      return serveBytes({ bytes }, request, response);
    };
    const redirect = (request, response) => {
      authorized.push(["a-Q4_0.gguf", request.headers.authorization]);
      response.writeHead(302, { location: `${storage.url}stored.gguf` }).end();
    };
    server.files["/org/name/resolve/main/a-Q4_0.gguf"] = redirect;
    assert.deepEqual((await load("hf:org/name", { token: "secret" })).logits, right);
    assert(authorized.length >= 3 && authorized.every(([, said]) => said === "Bearer secret"), JSON.stringify(authorized));
    assert.deepEqual(elsewhere, [undefined]);
    // An address that is not the hub's.
    server.files["/stored.gguf"] = storage.files["/stored.gguf"];
    await load(`${storage.url}stored.gguf`, { token: "secret" });
    assert.deepEqual(elsewhere, [undefined, undefined]);
  });

  test("a list of files that is none is a network error", async () => {
    hold([]);
    for (const text of ["no list", "{}"]) {
      server.files[TREE] = (_, response) => response.end(text);
      const { code, message } = await load("hf:org/name");
      assert.equal(code, "network");
      assert.match(message, /the list of files/);
    }
  });

  describe("a folder of one's own", () => {
    const shard = (n) => `a-0000${n}-of-00002.gguf`;
    const record = (...names) => Object.fromEntries(names.map((name) => [name, bytes]));

    test("with several GGUF files asks which is meant", async () => {
      const several = record("a-Q4_0.gguf", "b-Q8_0.gguf");
      const { code, message } = await loads.load(several);
      assert.equal(code, "invalid-argument");
      assert.match(message, /2 GGUF files.*"file" or "quant".*a-Q4_0\.gguf, b-Q8_0\.gguf/);
      for (const options of [{ file: "b-Q8_0.gguf" }, { quant: "Q4_0" }]) assert.deepEqual((await loads.load(several, options)).logits, right);
    });

    test("with a projector beside the model asks too", async () => {
      const { code, message } = await loads.load(record("a.gguf", "mmproj-a.gguf"));
      assert.equal(code, "invalid-argument");
      assert.match(message, /a\.gguf, mmproj-a\.gguf/);
    });

    test("is not confused by what macOS leaves beside files", async () => {
      const source = { ...record("a.gguf"), "._a.gguf": new Uint8Array(4096) };
      assert.deepEqual((await loads.load(source)).logits, right);
    });

    test("counts shards as one", async () => {
      const { code, message } = await loads.load(record(shard(1), shard(2), "b.gguf"));
      assert.equal(code, "invalid-argument");
      assert.match(message, /there are 2 GGUF files/);
    });

    test("on the disk, too", async () => {
      const folder = mkdtempSync(join(tmpdir(), "azulejo-folder-"));
      try {
        for (const name of ["a.gguf", "b.gguf", "._a.gguf"]) writeFileSync(join(folder, name), bytes);
        const source = pathToFileURL(folder);
        assert.equal((await loads.load(source)).code, "invalid-argument");
        assert.deepEqual((await loads.load(source, { file: "b.gguf" })).logits, right);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    test("at an address takes the file that is named, and cannot be searched", async () => {
      server.files["/f/b.gguf"] = { bytes };
      assert.deepEqual((await loads.load("/f/", { file: "b.gguf" })).logits, right);
      const { code, message } = await loads.load("/f/", { quant: "Q4_0" });
      assert.equal(code, "invalid-argument");
      assert.match(message, /cannot be listed/);
      for (const file of ["model.safetensors", "../b.gguf"]) assert.equal((await loads.load("/f/", { file })).code, "invalid-argument");
    });
  });
});
