// The package in Chromium, with and without cross-origin isolation, under a strict Content-Security-Policy.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { endless, SMOLLM } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { longestTask } from "./support/tasks.mjs";

deadline(10);

/** So many tokens of a prompt are computed at a time. */
const CHUNK = 64;

for (const isolated of [true, false]) {
  describe(isolated ? "on a cross-origin isolated page" : "on any page", () => {
    let browser, server, context, page;
    const faults = [];
    before(async () => {
      browser = await launchBrowser();
      server = await startApiServer({ isolated, files: { "/endless.gguf": { bytes: endless() }, "/smollm.gguf": { bytes: await readFile(SMOLLM) } } });
      context = await browser.newContext();
      page = await context.newPage();
      page.on("pageerror", (error) => faults.push(error.message));
      page.on("console", (message) => {
        if (/content security policy/i.test(message.text())) faults.push(message.text());
      });
      await page.goto(server.url);
      await page.evaluate(async () => {
        Object.assign(globalThis, await import("/dist/index.js"));
        globalThis.engine = await Engine.create({ device: "cpu", threads: 2 });
        globalThis.bytes = await (await fetch("/smollm.gguf")).arrayBuffer();
        globalThis.lm = await CausalLM.load(bytes, { engine });
      });
    });
    after(async () => {
      await browser?.close();
      await server?.close();
    });

    test("the build for this page is picked, and says so", async () => {
      const device = await page.evaluate(() => engine.device);
      assert.equal(device.kind, "cpu");
      if (isolated) assert.deepEqual(device.features, ["simd128", "relaxed-simd", "threads"]);
      else assert.match(device.reason, /page is not cross-origin isolated/);
      assert.match(device.description, isolated ? /2 threads/ : /1 thread$/);
    });

    test("a real checkpoint is loaded from a buffer and speaks, without a long task on the page", async () => {
      const speak = () => page.evaluate(async () => {
        const lm = await CausalLM.load(bytes, { engine });
        const { text } = await lm.generate("The capital of France is", { maxTokens: 16 });
        await lm.dispose();
        return { text, bytes: bytes.byteLength };
      });
      const { result: { text, bytes }, longest } = await longestTask(browser, page, speak);
      assert.match(text, /Paris/);
      assert(bytes > 0, "the buffer was detached");
      assert(longest < 50, `a task of ${longest} ms`);
      // One that is long would be seen.
      const count = () => page.evaluate(() => { let sum = 0; for (let at = 0; at < 3e8; at++) sum ^= at; return sum; });
      const { longest: known } = await longestTask(browser, page, count);
      assert(known > 50, `the long task took ${known} ms`);
    });

    /** Begins a generation and sends an abort right behind the call; says what came of it. */
    const abortAtOnce = (prompt) => page.evaluate(async (prompt) => {
      const session = lm.createSession();
      const controller = new AbortController();
      const { postMessage } = Worker.prototype;
      Worker.prototype.postMessage = function (message, ...rest) {
        postMessage.call(this, message, ...rest);
        if (message.kind === "call" && message.name === "generate") queueMicrotask(() => controller.abort());
      };
      const { finishReason, tokens } = await session.generate(prompt, { ignoreEnd: true, signal: controller.signal });
      Worker.prototype.postMessage = postMessage;
      const { length } = session;
      await session.dispose();
      return { finishReason, made: tokens.length, length };
    }, prompt);

    test("an abort stops a generation within one token", async () => {
      const { finishReason, made } = await abortAtOnce("Once upon a time");
      assert.equal(finishReason, "aborted");
      // One may be made before the worker hears of it.
      assert(made <= 1, `${made} tokens were made`);
    });

    test("an abort stops a long prompt within one chunk", async () => {
      const { finishReason, made, length } = await abortAtOnce(Array(1500).fill(100));
      assert.deepEqual({ finishReason, made }, { finishReason: "aborted", made: 0 });
      assert(length <= CHUNK, `${length} of 1500 tokens were read`);
    });

    for (const [how, leave] of Object.entries({ "an abort": "abort", "leaving a for await": "leave" })) {
      test(`${how} amid a generation ends it, and what was seen was made`, async () => {
        const { finishReason, made, seen } = await page.evaluate(async (leave) => {
          const controller = new AbortController();
          const generation = lm.generate("Once upon a time", { ignoreEnd: true, signal: controller.signal });
          let seen = 0;
          for await (const _ of generation) {
            if (++seen !== 4) continue;
            if (leave === "leave") break;
            controller.abort();
          }
          const { finishReason, tokens } = await generation;
          return { finishReason, made: tokens.length, seen };
        }, leave);
        assert.equal(finishReason, "aborted");
        assert(made >= 4 && made >= seen, `${made} tokens were made, ${seen} seen`);
      });
    }

    test("a worker that is killed takes what waits with it, and its models come back", async () => {
      await page.evaluate(async () => {
        const session = lm.createSession();
        const generation = session.generate("a", { ignoreEnd: true });
        const calls = [generation, session.generate("b")].map((call) => call.then(() => "done", ({ code }) => code));
        globalThis.outcome = Promise.all(calls);
        await generation[Symbol.asyncIterator]().next();
      });
      // As a browser short of memory would.
      await inWorker(context, page, "close()");
      assert.deepEqual(await page.evaluate(() => outcome), ["internal", "internal"]);
      const made = await page.evaluate(async () => (await lm.generate("a", { maxTokens: 2, ignoreEnd: true })).tokens.length);
      assert.equal(made, 2);
    });

    test("a trap takes what waits with it, and the models come back", async () => {
      // The core draws its seed there: an exception that no Rust code catches ends it as a trap would.
      await inWorker(context, page, "Math.random = () => { throw new WebAssembly.RuntimeError('unreachable'); }");
      const { failures, made } = await page.evaluate(async () => {
        const session = lm.createSession();
        const calls = [lm.generate("a"), lm.logits([1]), session.generate("b")];
        const failures = await Promise.all(calls.map((call) => call.then(() => "done", ({ code, message }) => `${code}: ${message}`)));
        const { tokens } = await session.generate("b", { maxTokens: 2, ignoreEnd: true });
        return { failures, made: tokens.length };
      });
      for (const failure of failures) assert.match(failure, /^internal: .*unreachable/);
      assert.equal(made, 2);
    });

    test("a page's own thread does where the caller wants no worker", async () => {
      const made = await page.evaluate(async () => {
        const engine = await Engine.create({ worker: false });
        const lm = await CausalLM.load("/endless.gguf", { engine });
        const generation = lm.generate("a", { ignoreEnd: true });
        for await (const { id } of generation) if (id >= 0) break;
        await generation;
        const { tokens } = await lm.generate("a", { maxTokens: 3, ignoreEnd: true });
        await engine.dispose();
        return tokens.length;
      });
      assert.equal(made, 3);
    });

    test("two models take turns, and neither waits for the other's end", async () => {
      const ended = await page.evaluate(async () => {
        const load = () => CausalLM.load("/endless.gguf", { engine });
        const [one, two] = await Promise.all([load(), load()]);
        const controller = new AbortController();
        const endless = one.generate("a", { ignoreEnd: true, signal: controller.signal });
        const { tokens } = await two.generate("b", { maxTokens: 3, ignoreEnd: true });
        controller.abort();
        const { finishReason } = await endless;
        await Promise.all([one.dispose(), two.dispose()]);
        return [tokens.length, finishReason];
      });
      assert.deepEqual(ended, [3, "aborted"]);
    });

    test("where the worker's files are not, that is what is said", async () => {
      const code = await page.evaluate(() => Engine.create({ assets: "/nowhere/" }).then(() => "made", ({ code }) => code));
      assert.equal(code, "network");
    });

    test("nothing went wrong on the page, nor against its policy", () => assert.deepEqual(faults, []));
  });
}

/** Runs an expression inside the page's worker, from outside. */
async function inWorker(context, page, expression) {
  const client = await context.newCDPSession(page);
  const done = new Promise((resolve) => {
    client.on("Target.attachedToTarget", ({ sessionId, targetInfo }) => {
      if (!targetInfo.url.endsWith("/worker.js")) return;
      // It has run when there is an answer, or nobody left to give one.
      for (const event of ["Target.receivedMessageFromTarget", "Target.detachedFromTarget"])
        client.on(event, (told) => told.sessionId === sessionId && resolve());
      const message = JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression } });
      client.send("Target.sendMessageToTarget", { sessionId, message }).catch(() => {}); // Its end may come first.
    });
  });
  await client.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  await done;
  // Otherwise the next worker would meet the same end.
  await client.detach();
}
