// The package under Node, against the real core: what a caller is promised, call by call.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { AzulejoError, cache, CausalLM, Engine, inspect } from "../dist/index.js";
import { endless, ON_AND_ON, templateOfManySteps, tiny } from "./api-models.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

/** So many that nobody waits for their end. */
const MANY_ROWS = Array.from({ length: 2000 }, () => [1, 2, 3, 4, 5, 6, 7, 8]);

/** Rejects with an AzulejoError of this code. */
const rejects = (promise, code) =>
  assert.rejects(promise, (error) => {
    assert(error instanceof AzulejoError, `not an AzulejoError: ${error?.stack}`);
    assert.equal(error.code, code, error.stack);
    return true;
  });

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

test("importing does nothing that keeps a process alive", () => {
  const module = JSON.stringify(new URL("../dist/index.js", import.meta.url).href);
  const script = `const { CausalLM } = await import(${module}); console.log(typeof CausalLM.load)`;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], { timeout: 60_000 });
  assert.equal(String(said).trim(), "function");
});

test("a process with a loaded model ends by itself", () => {
  const module = JSON.stringify(new URL("../dist/index.js", import.meta.url).href);
  const models = JSON.stringify(new URL("./api-models.mjs", import.meta.url).href);
  const script = `const { CausalLM } = await import(${module}); const { tiny } = await import(${models});
    const lm = await CausalLM.load(tiny()); console.log((await lm.generate("a", { maxTokens: 2, ignoreEnd: true })).tokens.length)`;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], { timeout: 60_000 });
  assert.equal(String(said).trim(), "2");
});

for (const worker of [true, false]) {
  describe(worker ? "in a worker" : "in the page itself", () => {
    let engine;
    before(async () => { engine = await Engine.create({ worker }); });
    after(() => engine.dispose());

    test("the device says what it is and why it is no better", () => {
      assert.equal(engine.device.kind, "cpu");
      assert.match(engine.device.description, /wasm simd128, \d+ threads?/);
      assert.match(engine.device.reason, /^no navigator\.gpu/);
    });

    test("how much memory wasm has taken is told to tests and benchmarks", async () => {
      const { wasmBytes } = await engine.diagnostics();
      assert(wasmBytes > 0 && wasmBytes % 65536 === 0, `${wasmBytes} bytes`);
    });

    describe("sources", () => {
      let folder;
      const bytes = tiny();
      before(async () => {
        folder = await mkdtemp(join(tmpdir(), "azulejo-"));
        await writeFile(join(folder, "tiny.gguf"), bytes);
      });
      after(() => rm(folder, { recursive: true }));

      const sources = {
        "a path": () => join(folder, "tiny.gguf"),
        "a file: URL": () => pathToFileURL(join(folder, "tiny.gguf")),
        "a folder": () => `${folder}/`,
        "a Uint8Array": () => bytes,
        "an ArrayBuffer": () => bytes.slice().buffer,
        "a view into the middle of a buffer": () => {
          const wide = new Uint8Array(bytes.length + 20);
          wide.set(bytes, 7);
          return wide.subarray(7, 7 + bytes.length);
        },
        "a Blob": () => new Blob([bytes]),
        "a record": () => ({ "tiny.gguf": bytes }),
        "a list of files": () => [new File([bytes], "tiny.gguf")],
      };
      for (const [name, source] of Object.entries(sources)) {
        test(`${name} is inspected, loaded and speaks`, async () => {
          const given = source();
          assert.equal((await inspect(given, { engine })).architecture, "llama");
          const lm = await CausalLM.load(given, { engine });
          assert.equal((await lm.generate("in the", { maxTokens: 3, ...ON_AND_ON })).tokens.length, 3);
          await lm.dispose();
        });
      }

      test("a stream is loaded once, and inspect leaves it alone", async () => {
        const stream = new Blob([bytes]).stream();
        await rejects(inspect(stream, { engine }), "invalid-argument");
        const lm = await CausalLM.load(stream, { engine });
        await rejects(CausalLM.load(stream, { engine }), "invalid-argument");
        await lm.dispose();
      });

      test("what is passed in stays as it was", async () => {
        const given = bytes.slice();
        await (await CausalLM.load(given, { engine })).dispose();
        assert.deepEqual(given, bytes);
      });

      test("a wrong SHA-256 is refused, a right one is not", async () => {
        const integrity = { "model.gguf": sha256(bytes) };
        await (await CausalLM.load(bytes, { engine, integrity })).dispose();
        await rejects(CausalLM.load(bytes, { engine, integrity: { "model.gguf": sha256("") } }), "integrity");
        await rejects(CausalLM.load(bytes, { engine, integrity: { "misspelt.gguf": sha256(bytes) } }), "integrity");
      });

      test("a file that is not there is a missing file", async () => {
        await rejects(CausalLM.load(join(folder, "none.gguf"), { engine }), "missing-file");
        const config = await readFile(new URL("conformance/llama/config.json", import.meta.url));
        await rejects(CausalLM.load({ "config.json": config }, { engine }), "missing-file");
        await rejects(CausalLM.load({ "model.safetensors": bytes }, { engine }), "missing-file");
      });

      test("progress begins at nothing and ends with everything", async () => {
        const seen = [];
        await (await CausalLM.load(bytes, { engine, onProgress: (progress) => seen.push(progress) })).dispose();
        assert.deepEqual(seen[0], { stage: "read", file: "model.gguf", loadedBytes: 0, totalBytes: bytes.length });
        assert.deepEqual(seen.at(-1), { stage: "ready", loadedBytes: bytes.length, totalBytes: bytes.length });
      });

      test("a load that is aborted rejects, before it begins and in its midst", async () => {
        await rejects(CausalLM.load(bytes, { engine, signal: AbortSignal.abort() }), "aborted");
        const controller = new AbortController();
        const stuck = new ReadableStream({ start: (stream) => stream.enqueue(bytes.slice(0, 1000)) });
        const onProgress = () => controller.abort();
        await rejects(CausalLM.load(stuck, { engine, signal: controller.signal, onProgress }), "aborted");
      });
    });

    describe("a model", () => {
      let lm;
      before(async () => { lm = await CausalLM.load(endless(), { engine }); });
      after(() => lm.dispose());

      test("tokens iterate to the same text as the result's", async () => {
        const generation = lm.generate("the thing", { maxTokens: 8, ...ON_AND_ON });
        const tokens = [];
        for await (const token of generation) tokens.push(token);
        const { text, tokens: ids, finishReason, stats } = await generation;
        assert.equal(tokens.map((token) => token.text).join(""), text);
        assert.equal(ids.length, 8);
        assert.equal(finishReason, "length");
        assert.equal(stats.generatedTokens, 8);
        assert.equal(stats.promptTokens, (await lm.tokenizer.encode("the thing", { addSpecial: true })).length);
      });

      test("the text is a stream, whose cancelling ends the generation, or the whole", async () => {
        const given = { maxTokens: 12, ...ON_AND_ON };
        const generation = lm.generate("the thing", given);
        const pieces = [];
        for await (const piece of generation.stream()) pieces.push(piece);
        const { text } = await generation;
        assert(pieces.length > 1 && !pieces.includes(""), JSON.stringify(pieces));
        assert.equal(pieces.join(""), text);
        assert.equal(await generation.text(), text);
        // Begun when it is over, it says everything again.
        assert.equal(await new Response(generation.stream().pipeThrough(new TextEncoderStream())).text(), text);
        const endless = lm.generate("a", ON_AND_ON);
        const reader = endless.stream().getReader();
        await reader.read();
        await reader.cancel();
        assert.equal((await endless).finishReason, "aborted");
        await rejects(lm.generate("").stream().getReader().read(), "invalid-argument");
        await rejects(lm.generate("").text(), "invalid-argument");
      });

      test("a generation is a thenable: who returns one from an async function returns its result", async () => {
        const ask = async () => lm.generate("a", { maxTokens: 2, ...ON_AND_ON });
        assert.equal((await ask()).tokens.length, 2);
      });

      test("generations go on together, and other calls come in between", async () => {
        // It has no end of its own: whatever comes while it goes on has come in between.
        const controller = new AbortController();
        const endless = lm.generate("a", { ...ON_AND_ON, contextShift: { keep: 0 }, signal: controller.signal });
        await endless[Symbol.asyncIterator]().next();
        const [short, { dims }] = await Promise.all([lm.generate("a", { maxTokens: 1, ...ON_AND_ON }), lm.logits([5, 6])]);
        assert.deepEqual([short.tokens.length, dims[1]], [1, 2]);
        const ended = [];
        await Promise.all([lm.logits([5]).then(() => ended.push("one")), lm.logits([6]).then(() => ended.push("two"))]);
        assert.deepEqual(ended, ["one", "two"]);
        controller.abort();
        assert.equal((await endless).finishReason, "aborted");
      });

      test("each of several texts is the one that is made alone, whoever leaves meanwhile", async () => {
        const texts = [
          ["a", { maxTokens: 12 }],
          ["in the", { maxTokens: 30, temperature: 0.9, seed: 3 }],
          [[5, 6, 7], { maxTokens: 7, logprobs: 1 }],
          [[8, 9], { maxTokens: 20, repetitionPenalty: 1.2 }],
          ["the a", { maxTokens: 3, temperature: 1.1, topK: 8, seed: 9 }],
        ].map(([prompt, options]) => [prompt, { ...ON_AND_ON, ...options }]);
        const alone = [];
        for (const text of texts) alone.push(await lm.generate(...text));
        const leaving = lm.generate("b", ON_AND_ON);
        const together = texts.map(([prompt, options], at) => (at % 2 ? lm : lm.createSession()).generate(prompt, options));
        for await (const _ of leaving) break;
        for (const [at, generation] of together.entries()) {
          const seen = [];
          for await (const { id } of generation) seen.push(id);
          const { text, tokens, finishReason } = await generation;
          assert.deepEqual({ text, tokens, finishReason }, { text: alone[at].text, tokens: alone[at].tokens, finishReason: "length" });
          assert.deepEqual(seen, [...tokens]);
        }
        assert.equal((await leaving).finishReason, "aborted");
      });

      test("in one session generations follow each other, and what waits there is aborted at once", async () => {
        const session = lm.createSession();
        const ended = [];
        const call = (name, prompt, options) => session.generate(prompt, { ...ON_AND_ON, ...options }).finally(() => ended.push(name));
        const controller = new AbortController();
        const calls = [
          // So long that the worker has listened before it is over.
          call("long", [5, 6, 7, 8], { maxTokens: 1000 }),
          call("aborted", [5], { signal: controller.signal }),
          call("next", [5, 6, 7, 8, 9], { maxTokens: 1 }),
        ];
        controller.abort();
        const [, aborted, next] = await Promise.all(calls);
        assert.deepEqual(ended, ["aborted", "long", "next"]);
        assert.deepEqual([aborted.tokens.length, next.stats.cachedTokens], [0, 4]);
        await session.dispose();
      });

      test("a signal ends a generation, and what was made stays", async () => {
        const controller = new AbortController();
        const generation = lm.generate("a", { ...ON_AND_ON, signal: controller.signal });
        let seen = 0;
        for await (const _ of generation) if (++seen === 3) controller.abort();
        const { finishReason, tokens } = await generation;
        assert.equal(finishReason, "aborted");
        assert(tokens.length >= 3);
      });

      test("a generation that waits for its turn is aborted at once", async () => {
        const [first, second] = [new AbortController(), new AbortController()];
        const running = lm.generate("a", { ...ON_AND_ON, signal: first.signal });
        const waiting = lm.generate("b", { ...ON_AND_ON, signal: second.signal });
        second.abort();
        assert.deepEqual(await Promise.race([running, waiting]), await waiting);
        assert.equal((await waiting).tokens.length, 0);
        first.abort();
        await running;
      });

      test("a signal that is aborted already leaves nothing to do", async () => {
        const { finishReason, tokens } = await lm.generate("a", { signal: AbortSignal.abort() });
        assert.deepEqual({ finishReason, made: tokens.length }, { finishReason: "aborted", made: 0 });
        await rejects(lm.logits([1], { signal: AbortSignal.abort() }), "aborted");
      });

      test("leaving a for await ends the generation", async () => {
        const generation = lm.generate("a", ON_AND_ON);
        for await (const _ of generation) break;
        assert.equal((await generation).finishReason, "aborted");
      });

      test("leaving while a token is awaited ends the generation too", async () => {
        const generation = lm.generate("a", ON_AND_ON);
        const tokens = generation[Symbol.asyncIterator]();
        const pending = tokens.next();
        assert.deepEqual(await tokens.return(), { done: true, value: undefined });
        await pending;
        assert.equal((await generation).finishReason, "aborted");
      });

      test("a failure that is only iterated raises no unhandled rejection", async () => {
        const unhandled = [];
        const listener = (error) => unhandled.push(error);
        process.on("unhandledRejection", listener);
        await rejects((async () => { for await (const _ of lm.generate("")); })(), "invalid-argument");
        lm.generate("");
        await new Promise((resolve) => setImmediate(resolve));
        process.off("unhandledRejection", listener);
        assert.deepEqual(unhandled, []);
      });

      test("text is tokenized while the model talks", async () => {
        const controller = new AbortController();
        const generation = lm.generate("a", { ...ON_AND_ON, signal: controller.signal });
        const ids = await lm.tokenizer.encode("in the", { addSpecial: false });
        assert.equal(await lm.tokenizer.decode(ids), "in the");
        controller.abort();
        assert.equal((await generation).finishReason, "aborted");
      });

      test("messages go through the model's template", async () => {
        const text = await lm.tokenizer.applyChatTemplate([{ role: "user", content: "hi" }]);
        assert.equal(text, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
      });

      test("logits of rows come back row by row", async () => {
        const { data, dims } = await lm.logits([[5, 6, 7], [8]]);
        assert.deepEqual(dims, [2, 3, lm.summary.vocabularySize]);
        assert.equal(data.length, dims[0] * dims[1] * dims[2]);
        const last = await lm.logits([5, 6, 7], { last: true });
        assert.deepEqual(last.dims, [1, 1, lm.summary.vocabularySize]);
      });

      test("a session computes only what its cache does not hold", async () => {
        const session = lm.createSession();
        const first = await session.generate([5, 6, 7, 8], { maxTokens: 2, ...ON_AND_ON });
        assert.equal(first.stats.cachedTokens, 0);
        assert(session.length >= 4);
        const { stats } = await session.generate([5, 6, 7, 8, ...first.tokens, 9], { maxTokens: 1, ...ON_AND_ON });
        assert(stats.cachedTokens >= 4, `${stats.cachedTokens} tokens were cached`);
        await session.dispose();
        await rejects(session.generate([5]), "disposed");
      });

      test("what is wrong is said with its name", async () => {
        const wrong = {
          "the prompt is empty": ["", {}],
          "prompt[1]": [[1, 2.5], {}],
          "prompt[0]": [[-1], {}],
          "prompt[0].role": [[{ role: "king", content: "" }], {}],
          "prompt[0].content": [[{ role: "user" }], {}],
          temperature: ["a", { temperature: NaN }],
          topP: ["a", { topP: 2 }],
          maxTokens: ["a", { maxTokens: 1.5 }],
          stop: ["a", { stop: "x" }],
          logitBias: ["a", { logitBias: { x: 1 } }],
          signal: ["a", { signal: true }],
        };
        for (const [name, [prompt, options]] of Object.entries(wrong)) {
          const error = await lm.generate(prompt, options).then(() => assert.fail(name), (error) => error);
          assert.equal(error.code, "invalid-argument");
          assert(error.message.startsWith(name), `${name}: ${error.message}`);
        }
        await rejects(lm.generate([lm.summary.vocabularySize]), "invalid-argument");
      });
    });

    describe("disposing", () => {
      test("a model's end ends what runs and what waits", async () => {
        const lm = await CausalLM.load(endless(), { engine });
        const running = lm.generate("a", ON_AND_ON);
        const session = lm.createSession();
        const calls = [running, session.generate("b", ON_AND_ON), session.generate("b"), lm.logits(MANY_ROWS, { last: true })];
        await running[Symbol.asyncIterator]().next();
        await Promise.all([...calls.map((promise) => rejects(promise, "disposed")), lm.dispose()]);
        await rejects(lm.generate("c"), "disposed");
        await rejects(lm.tokenizer.encode("c"), "disposed");
        await lm.dispose();
      });

      test("a session's end ends its own calls only", async () => {
        const lm = await CausalLM.load(endless(), { engine });
        const session = lm.createSession();
        const generation = session.generate("a", ON_AND_ON);
        const other = lm.generate("b", { maxTokens: 2, ...ON_AND_ON });
        await generation[Symbol.asyncIterator]().next();
        await Promise.all([rejects(generation, "disposed"), session.dispose()]);
        assert.equal((await other).tokens.length, 2);
        await lm.dispose();
      });
    });
  });
}

test("an engine's options are checked, and a GPU that is asked for and not there is said", async () => {
  for (const wrong of [{ device: "gpu" }, { powerPreference: "high" }, { threads: 0 }, { worker: 1 }, { gpu: { without: [1] } }]) {
    await rejects(Engine.create(wrong), "invalid-argument");
  }
  await assert.rejects(Engine.create({ device: "webgpu" }), { code: "no-webgpu", message: /no navigator\.gpu/ });
  const engine = await Engine.create({ device: "cpu", threads: 1 });
  assert.equal(engine.device.kind, "cpu");
  assert.doesNotMatch(engine.device.reason ?? "", /gpu/);
  await engine.dispose();
});

test("an engine's end ends its models, and another engine's go on", async () => {
  const [one, two] = [await Engine.create(), await Engine.create()];
  const [lm, other] = [await CausalLM.load(endless(), { engine: one }), await CausalLM.load(tiny(), { engine: two })];
  const running = lm.generate("a", ON_AND_ON);
  await running[Symbol.asyncIterator]().next();
  await Promise.all([rejects(running, "disposed"), one.dispose()]);
  await rejects(lm.generate("a"), "disposed");
  await rejects(CausalLM.load(tiny(), { engine: one }), "disposed");
  assert.equal((await other.generate("a", { maxTokens: 1, ...ON_AND_ON })).tokens.length, 1);
  await two.dispose();
});

test("times are those of its steps, by the clock", async () => {
  const engine = await Engine.create({ worker: false });
  const lm = await CausalLM.load(endless(), { engine });
  // At each look five milliseconds have gone by.
  const { now } = performance;
  let looks = 0;
  performance.now = () => 5 * looks++;
  let stats;
  try {
    ({ stats } = await lm.generate("the thing", { maxTokens: 8, ...ON_AND_ON }));
  } finally {
    performance.now = now;
  }
  assert(stats.prefillMs > 0 && stats.decodeMs > 0 && stats.prefillMs + stats.decodeMs < 5 * looks);
  assert.equal(stats.firstTokenMs, stats.prefillMs, "the first token is what the prompt gives");
  assert.equal(stats.tokensPerSecond, (7 / stats.decodeMs) * 1000);
  await engine.dispose();
});

test("a worker that dies takes what waits with it, and what can be read again works at the next call", async () => {
  const workers = [];
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (...message) {
    if (!workers.includes(this)) workers.push(this);
    return postMessage.apply(this, message);
  };
  const engine = await Engine.create();
  Worker.prototype.postMessage = postMessage;
  const bytes = endless();
  const [lm, streamed] = [await CausalLM.load(bytes, { engine }), await CausalLM.load(new Blob([bytes]).stream(), { engine })];
  const session = lm.createSession();
  await session.generate([5, 6, 7], { maxTokens: 1, ...ON_AND_ON });
  const running = lm.generate("a", ON_AND_ON);
  await running[Symbol.asyncIterator]().next();
  const waiting = [lm.generate("b"), streamed.logits([1])];
  await workers[0].terminate();
  await Promise.all([running, ...waiting].map((promise) => rejects(promise, "internal")));
  assert.equal((await lm.generate("a", { maxTokens: 2, ...ON_AND_ON })).tokens.length, 2);
  const { stats } = await session.generate([5, 6, 7, 8], { maxTokens: 1, ...ON_AND_ON });
  assert.equal(stats.cachedTokens, 0);
  await rejects(streamed.generate("a"), "disposed");
  await engine.dispose();
});

test("after 200 loads and disposals the wasm memory is what it was after 20", async () => {
  // In a process of its own and in its own realm: there the instance's memory can be looked at.
  const script = `
    const memories = [];
    const { instantiate } = WebAssembly;
    WebAssembly.instantiate = async (...given) => {
      const made = await instantiate(...given);
      memories.push((made.instance ?? made).exports.memory);
      return made;
    };
    const { CausalLM, Engine } = await import(${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)});
    const { endless } = await import(${JSON.stringify(new URL("./api-models.mjs", import.meta.url).href)});
    const engine = await Engine.create({ worker: false });
    const bytes = endless();
    const sizes = [];
    for (let load = 1; load <= 200; load++) {
      const lm = await CausalLM.load(bytes, { engine });
      const session = lm.createSession();
      await session.generate("in the", { maxTokens: 4, ignoreEnd: true });
      await lm.dispose();
      if (load === 20 || load === 200) sizes.push(memories[0].buffer.byteLength);
    }
    console.log(JSON.stringify(sizes));`;
  const [early, late] = JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", script], { timeout: 240_000 }));
  assert(early > 0);
  assert.equal(late, early);
});

test("where nothing was ever kept, asking is no error", async () => {
  process.env.AZULEJO_CACHE = join(tmpdir(), `azulejo-nothing-${process.pid}`);
  assert.deepEqual(await cache.list(), []);
  await cache.delete("https://models.example/a.gguf");
  assert.equal(existsSync(process.env.AZULEJO_CACHE), false);
});

test("a chat template that takes too long is ended with its worker, and the next call gets a new one", async () => {
  const engine = await Engine.create();
  const files = [templateOfManySteps(), tiny()];
  const [bad, good] = [await CausalLM.load(files[0], { engine }), await CausalLM.load(files[1], { engine })];
  // The page waits for seconds before it ends a worker: here a moment will do.
  const { setTimeout } = globalThis;
  const waits = [];
  globalThis.setTimeout = (work, ms, ...given) => {
    if (ms >= 5000) waits.push(ms);
    return setTimeout(work, Math.min(ms, 20), ...given);
  };
  try {
    await rejects(bad.tokenizer.applyChatTemplate([{ role: "user", content: "hi" }]), "internal");
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assert.equal(waits.length, 1);
  // It is read again from the caller's bytes.
  assert.equal((await good.generate("a", { maxTokens: 2, ignoreEnd: true })).tokens.length, 2);
  assert(files.every((bytes) => bytes.byteLength > 0), "the caller's bytes are still the caller's");
  await engine.dispose();
});
