// A smoke test of the packed package in Firefox and in WebKit: load, generate, keep, abort, classify, inspect; on an
// isolated page and on one that is not. Where these browsers are missing it is skipped, but not in CI.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../scripts/run.mjs";
import { endless } from "./api-models.mjs";
import { BROWSERS } from "./platforms/engines.mjs";
import { ISOLATED, startFront } from "./platforms/front.mjs";
import { ENGINES } from "./platforms/matrix.mjs";
import { answer, writeModel } from "./platforms/model.mjs";
import { report } from "./platforms/table.mjs";
import { deadline } from "./support/deadline.mjs";
import { pack, unpack } from "./support/package.mjs";
import { startServer } from "./support/server.mjs";

deadline(15);

/** Takes what pages post, and tells each where to go next. */
async function startMailbox() {
  const arrivals = [];
  let arrived = () => {};
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const piece of request.setEncoding("utf8")) text += piece;
    arrivals.push(JSON.parse(text));
    response.end(arrivals.length === 1 ? mailbox.next : "");
    arrived();
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const mailbox = {
    url: `http://127.0.0.1:${server.address().port}/`,
    next: "",
    /** The first `count` posts. */
    async take(count) {
      while (arrivals.length < count) await new Promise((resolve) => (arrived = resolve));
      return arrivals;
    },
    close: () => server.close().closeAllConnections(),
  };
  return mailbox;
}

describe("a smoke test", () => {
  let packed, files, expected;
  before(async () => {
    packed = pack();
    unpack(packed.tarball, packed.folder);
    const models = writeModel(packed.folder);
    writeFileSync(join(models, "endless.gguf"), endless());
    const inPackage = (folder) => join(packed.folder, "node_modules", "azulejo", folder);
    files = await startServer({
      isolated: false,
      mounts: {
        "/": join(root, "tests", "platforms", "smoke"), "/azulejo/": inPackage("dist"), "/models/": models,
        "/fashion-mnist-vit/": inPackage("www/models/fashion-mnist-vit"),
      },
    });
    expected = await answer();
  });
  after(async () => {
    await files?.close();
    packed?.remove();
  });

  /** What the engine sees on an isolated page, and then on one that is not. */
  async function visit(browser, program, settings) {
    const mailbox = await startMailbox();
    const routes = { "/": files.url, "/seen": mailbox.url };
    const fronts = [await startFront(routes, ISOLATED), await startFront(routes, {})];
    mailbox.next = fronts[1].url;
    const opened = await browser.open(program, fronts[0].url, settings);
    const ended = opened.ended.then((how) => assert.fail(`the browser ended: ${how}\n${opened.printed()}`));
    try {
      const [isolated, plain] = await Promise.race([mailbox.take(2), ended]);
      return { version: opened.version, isolated, plain };
    } finally {
      ended.catch(() => {});
      await opened.stop();
      for (const each of fronts) await each.close();
      mailbox.close();
    }
  }

  function check(row, seen) {
    const { engine, ...steps } = seen.steps;
    assert.equal(seen.uncaught, undefined);
    assert.equal(engine.kind, "cpu", engine.failed);
    assert.deepEqual(steps, {
      generate: expected,
      kept: row.keeps ? ["/models/tiny.gguf"] : [],
      "read again": row.keeps ? "read" : "download",
      session: [6, 6, row.keeps ? 6 : "out-of-memory"],
      abort: "aborted",
      classify: "Trouser",
      inspect: "llama",
      error: true,
      "in this thread": expected,
      dispose: "disposed",
    });
  }

  for (const row of ENGINES) {
    const browser = BROWSERS[row.engine];
    const program = browser.find();
    const missing = program === undefined && `${row.place} is missing: scripts/setup.sh --tests installs it (${browser.packages.join(", ")})`;
    test(`passes in ${row.place}`, { timeout: 300_000, skip: process.env.CI ? false : missing }, async () => {
      assert.ok(program !== undefined, missing);
      const { version, isolated, plain } = await visit(browser, program, row.settings);
      check(row, isolated);
      check(row, plain);
      assert.equal(plain.isolated, false);
      const { features, reason } = isolated.steps.engine;
      report(row, version, { isolated: isolated.isolated, threads: features.includes("threads"), webgpu: !/no navigator.gpu/.test(reason) });
    });
  }
});
