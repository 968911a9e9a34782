// The README's path: an empty folder, Vite, the packed package in place of the registry's, the ten lines as they stand, and a
// streamed answer in the page.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "../scripts/run.mjs";
import { makeApp, pinned } from "./platforms/apps.mjs";
import { start } from "./platforms/processes.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { pack } from "./support/package.mjs";

deadline(10);

const MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf";

let packed, browser, server;
before(async () => {
  packed = pack();
  browser = await launchBrowser();
});
after(async () => {
  await server?.stop();
  await browser?.close();
  packed?.remove();
});

test("the README's ten lines answer in a Vite app, word by word", { timeout: 300_000 }, async () => {
  // By its version, in a folder that no other test has.
  const app = makeApp(packed.tarball, "vite", { vite: pinned("vite").vite });
  const [, lines] = /^```js run\n(.*?)^```$/ms.exec(readFileSync(join(root, "README.md"), "utf8"));
  writeFileSync(join(app, "main.js"), lines);
  mkdirSync(join(app, "public", "models"), { recursive: true });
  symlinkSync(join(root, "models", MODEL), join(app, "public", "models", MODEL));
  server = start("npm", ["run", "dev", "--", "--port", "0"], { cwd: app });
  const [address] = await server.says(/http:\/\/(?:localhost|127\.0\.0\.1|\[::1\]):[1-9]\d*\//);
  const page = await browser.newPage();
  const failures = [];
  page.on("pageerror", (error) => failures.push(error));
  await page.addInitScript(() => {
    globalThis.pieces = [];
    new MutationObserver((changes) => {
      for (const { target, addedNodes } of changes) if (target === document.body) for (const { nodeType, data } of addedNodes) if (nodeType === 3) pieces.push(data);
    }).observe(document, { childList: true, subtree: true });
  });
  await page.goto(address);
  await page.waitForFunction(() => pieces.join("").length > 100);
  const pieces = await page.evaluate(() => pieces);
  assert.ok(pieces.length > 10, "it came in one piece");
  assert.match(pieces.join(""), /sky|blue|light/i);
  assert.deepEqual(failures, []);
});
