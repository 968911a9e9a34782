// Loads with the caller's own `fetch`, under Node: what it is asked, and what comes of its answers. There is no server.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { CausalLM, Engine, inspect } from "../dist/index.js";
import { ON_AND_ON, tiny } from "./api-models.mjs";
import { rejection } from "./support/rejections.mjs";
import { deadline } from "./support/deadline.mjs";
import { killWorker } from "./support/worker-death.mjs";

deadline(5);

const llama = (name) => readFileSync(new URL(`conformance/llama/${name}`, import.meta.url));

/** A `fetch` of these files, by address, and what it was asked. */
function serving(files) {
  const asked = [];
  const fetch = async (url, { method, headers = {} } = {}) => {
    asked.push({ url, method, headers: Object.fromEntries(new Headers(headers)) });
    const bytes = files[url];
    if (bytes === undefined) return new Response("no such file", { status: 404 });
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(new Headers(headers).get("range") ?? "") ?? [];
    if (first === undefined) return new Response(method === "HEAD" ? null : bytes, { headers: { "content-length": `${bytes.length}` } });
    const end = last ? Math.min(Number(last) + 1, bytes.length) : bytes.length;
    const range = { "content-range": `bytes ${first}-${end - 1}/${bytes.length}` };
    return new Response(bytes.subarray(Number(first), end), { status: 206, headers: range });
  };
  return { fetch, asked, urls: () => [...new Set(asked.map(({ url }) => url))] };
}

for (const worker of [true, false]) {
  describe(worker ? "in a worker" : "in the page itself", () => {
    let engine;
    before(async () => { engine = await Engine.create({ threads: 1, worker }); });
    after(() => engine?.dispose());
    const options = (given) => ({ engine, cache: false, retries: 0, ...given });

    test("a file", async () => {
      const { fetch, urls } = serving({ "https://a.example/m.gguf": tiny() });
      const lm = await CausalLM.load("https://a.example/m.gguf", options({ fetch }));
      assert.equal((await lm.generate([5], { maxTokens: 2, ...ON_AND_ON })).tokens.length, 2);
      await lm.dispose();
      assert.equal((await inspect("https://a.example/m.gguf", options({ fetch }))).architecture, "llama");
      assert.deepEqual(urls(), ["https://a.example/m.gguf"]);
    });

    test("a repository on a hub of one's own, with a token that goes there alone", async () => {
      const root = "https://hub.example/mirror/org/name/resolve/refs%2Fpr%2F1/";
      const files = { [`${root}config.json`]: llama("config.json"), [`${root}model.safetensors`]: llama("model.safetensors") };
      const hub = { endpoint: "https://hub.example/mirror", token: "secret" };
      for (const source of ["hf:org/name@refs/pr/1", "https://huggingface.co/org/name/tree/refs%2Fpr%2F1", "https://hub.example/mirror/org/name/tree/refs/pr/1"]) {
        const { fetch, asked, urls } = serving(files);
        const lm = await CausalLM.load(source, options({ fetch, ...hub }));
        await lm.dispose();
        assert(urls().every((url) => url.startsWith("https://hub.example/mirror/")), urls().join());
        assert(urls().includes(`${root}model.safetensors`));
        assert(asked.every(({ headers }) => headers.authorization === "Bearer secret"));
      }
      const { fetch, asked } = serving({ "https://a.example/m.gguf": tiny() });
      await (await CausalLM.load("https://a.example/m.gguf", options({ fetch, ...hub }))).dispose();
      assert(asked.length > 0 && asked.every(({ headers }) => headers.authorization === undefined));
    });

    test("its failures are the load's", async () => {
      const load = (fetch, given) => () => CausalLM.load("https://a.example/m.gguf", options({ fetch, ...given }));
      await rejection(load(async () => { throw new TypeError("no route to it"); }), "network", /no route to it/);
      await rejection(load(async () => new Response("", { status: 404 })), "network", /HTTP 404/);
      await rejection(load(async () => 5), "invalid-argument", /fetch should resolve to a Response/);
    });

    test("an abort reaches it, and the load does not wait for it", async () => {
      const controller = new AbortController();
      let heard;
      const fetch = (_, { signal }) => new Promise(() => {
        heard = signal;
        controller.abort("enough");
      });
      const { cause } = await rejection(() => CausalLM.load("https://a.example/m.gguf", options({ fetch, signal: controller.signal })), "aborted");
      assert.equal(cause, "enough");
      assert.equal(heard.aborted, true);
    });

    test("it is asked again when the worker has died", async () => {
      const { fetch, asked } = serving({ "https://a.example/m.gguf": tiny() });
      const own = await Engine.create({ threads: 1 });
      const lm = await CausalLM.load("https://a.example/m.gguf", { ...options({ fetch }), engine: own });
      const before = asked.length;
      await killWorker(own);
      assert.equal((await lm.logits([1])).dims[0], 1);
      assert(asked.length > before);
      await own.dispose();
    });
  });
}
