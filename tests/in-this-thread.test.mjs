// Where an engine has no worker to live in: service workers, shared workers, and who wants it so.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { endless, tooLarge } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

/** Answers each message with what a model has made, or why not. */
const answering = (entry, options, load = `"/endless.gguf", { engine, contextLength: 64 }`) => `
import { CausalLM, Engine } from "/dist/${entry}.js";
const answer = async (port) => {
  try {
    const engine = await Engine.create(${JSON.stringify(options)});
    const lm = await CausalLM.load(${load});
    const { tokens } = await lm.generate("a", { maxTokens: 3, ignoreEnd: true });
    await engine.dispose();
    port.postMessage({ made: tokens.length, device: engine.device });
  } catch ({ code, message }) {
    port.postMessage({ code, message });
  }
};
addEventListener("message", ({ ports: [port] }) => answer(port));
addEventListener("connect", ({ ports: [port] }) => answer(port));
`;

describe("without a worker", () => {
  let browser, server, page;
  before(async () => {
    browser = await launchBrowser();
    const script = (...given) => ({ bytes: Buffer.from(answering(...given)), type: "x.js" });
    server = await startApiServer({
      isolated: false,
      files: {
        "/endless.gguf": { bytes: endless() },
        "/large.gguf": { bytes: Buffer.from(tooLarge()) },
        "/fallen.js": script("in-this-thread", {}, `"/large.gguf", { engine, cache: false, fallback: { url: "/v1" } }`),
        "/whole.js": script("in-this-thread", {}),
        "/asked.js": script("in-this-thread", { worker: false }),
        "/index.js": script("index", { worker: false }),
        "/worker.js": script("index", {}),
      },
    });
    page = await browser.newPage();
    await page.goto(server.url);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const inServiceWorker = (path) => page.evaluate(async (path) => {
    const registration = await navigator.serviceWorker.register(path, { type: "module", scope: `/scope${path}/` });
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise((resolve) => { port1.onmessage = ({ data }) => resolve(data); });
    (registration.installing ?? registration.waiting ?? registration.active).postMessage(null, [port2]);
    try {
      return await answer;
    } finally {
      await registration.unregister();
    }
  }, path);

  const inSharedWorker = (path) => page.evaluate((path) => new Promise((resolve) => {
    const { port } = new SharedWorker(path, { type: "module" });
    port.onmessage = ({ data }) => resolve(data);
  }), path);

  for (const [where, ask] of Object.entries({ "a service worker": inServiceWorker, "a shared worker": inSharedWorker })) {
    for (const path of ["/whole.js", "/asked.js"]) {
      test(`azulejo/in-this-thread computes in ${where}${path === "/asked.js" ? ", asked for by worker: false" : ""}`, async () => {
        const { made, device, message } = await ask(path);
        assert.equal(made, 3, message);
        assert.match(device.description, /1 thread$/);
      });
    }
  }

  test("a service worker, which can import nothing later, is told what to import", async () => {
    const { code, message } = await inServiceWorker("/index.js");
    assert.equal(code, "network");
    assert.match(message, /in a service worker import "azulejo\/in-this-thread"/);
  });

  test("a service worker has what a fallback takes: it asks the server, which here is none", async () => {
    const { code, message } = await inServiceWorker("/fallen.js");
    assert.equal(code, "missing-file");
    assert.match(message, /\/v1\/models: the server answered 404/);
  });

  test("where no worker can be started, that is what is said", async () => {
    const { code, message } = await inServiceWorker("/worker.js");
    assert.equal(code, "invalid-argument");
    assert.match(message, /nothing here can start a worker.*"azulejo\/in-this-thread"/);
  });

  test("a shared worker needs no more than worker: false", async () => {
    const { made, message } = await inSharedWorker("/index.js");
    assert.equal(made, 3, message);
  });

  test("on a page azulejo/in-this-thread leaves the worker to who wants one", async () => {
    const made = await page.evaluate(async () => {
      const { CausalLM, Engine } = await import("/dist/in-this-thread.js");
      const answer = [];
      for (const worker of [true, false]) {
        const engine = await Engine.create({ worker });
        const lm = await CausalLM.load("/endless.gguf", { engine, contextLength: 64 });
        answer.push((await lm.generate("a", { maxTokens: 3, ignoreEnd: true })).tokens.length);
        await engine.dispose();
      }
      return answer;
    });
    assert.deepEqual(made, [3, 3]);
  });

  test("a worker of somebody else's that imports the host's code does not become one", async () => {
    const answers = await page.evaluate(async () => {
      const answers = [];
      for (const name of ["", "mine"]) {
        const worker = new Worker("/asked.js", { type: "module", name });
        const { port1, port2 } = new MessageChannel();
        const answer = new Promise((resolve) => { port1.onmessage = ({ data }) => resolve(data); });
        worker.postMessage(null, [port2]);
        answers.push((await answer).made);
        worker.terminate();
      }
      return answers;
    });
    assert.deepEqual(answers, [3, 3]);
  });
});
