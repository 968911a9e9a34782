// The hosted page: static files from a server that knows no headers and no ranges, in a folder of it, on a phone, by keyboard,
// without a network after one visit, by a link that names a model and a prompt.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { filesUnder } from "../scripts/package.mjs";
import { buildSite } from "../scripts/site.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { string, writeGguf } from "./support/gguf.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

deadline(5);

const FOLDER = "some/where";
const DONE = "[data-role=assistant][data-state=done]";

/** Python's server on a free port: what anyone has at hand. */
async function pythonServer(folder) {
  const child = spawn("python3", ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder], { stdio: ["ignore", "pipe", "ignore"] });
  let said = "";
  while (!/port \d+/.test(said)) said += (await once(child.stdout, "data"))[0];
  child.stdout.resume();
  return {
    url: `http://127.0.0.1:${/port (\d+)/.exec(said)[1]}/`,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill();
      await once(child, "exit");
    },
  };
}

describe("the hosted page", () => {
  const root = mkdtempSync(join(tmpdir(), "azulejo-site-"));
  let browser, server;
  before(async () => {
    buildSite({ out: join(root, FOLDER) });
    const model = tinyModel();
    model.metadata["tokenizer.chat_template"] = string("{% for message in messages %}{{ message.content }}{% endfor %}");
    writeFileSync(join(root, FOLDER, "tiny.gguf"), writeGguf(model).bytes);
    server = await pythonServer(root);
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    rmSync(root, { recursive: true, force: true });
  });

  /** A new visitor on a phone; `fetched` is what the page asked the network for. */
  async function visitor(address) {
    const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true });
    const page = await context.newPage();
    const complaints = [];
    const fetched = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
    context.on("request", (request) => fetched.push(request.url()));
    await page.goto(`${server.url}${FOLDER}/${address}`);
    // The service worker has the page, and has given it the headers that the host does not send.
    await page.waitForFunction(() => crossOriginIsolated && document.documentElement.dataset.offline === "ready");
    return { page, context, complaints, fetched };
  }

  async function tabTo(page, id) {
    for (let step = 0; await page.evaluate(() => document.activeElement.id) !== id; step++) {
      assert.ok(step < 40, `Tab does not reach #${id}`);
      await page.keyboard.press("Tab");
    }
  }

  /** Loads what the panel offers, without a mouse. */
  async function loadByKeyboard(page) {
    await tabTo(page, "load-default");
    await page.keyboard.press("Enter");
    await page.waitForSelector("body[data-state=ready]");
    await page.waitForFunction(() => document.activeElement.id === "prompt");
  }

  test("works in any folder, on a phone, by keyboard, from a link, and then without a network", async () => {
    const { page, context, complaints, fetched } = await visitor("?model=tiny.gguf&prompt=Tiles%20are");
    try {
      assert.equal(await page.inputValue("#prompt"), "Tiles are");
      assert.match(await page.innerText("#choose"), /tiny\n.*tiny\.gguf/);
      await loadByKeyboard(page);
      assert.match(await page.textContent("#model-card"), /\d threads?/);
      await page.keyboard.press("Enter");
      await page.waitForSelector(DONE);
      await page.click("#views a[href='#images']");
      await page.waitForSelector("#images-view[data-state=ready] #classes li");
      const elsewhere = fetched.filter((url) => !url.startsWith(`${server.url}${FOLDER}/`) && !url.startsWith("blob:"));
      assert.deepEqual(elsewhere, [], "nothing lies outside of the page's folder");
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
      assert.deepEqual(complaints, []);

      await server.close();
      await page.reload();
      await page.waitForSelector("#images-view[data-state=ready] #classes li");
      assert.match(await page.innerText("#classes"), /Ankle boot/);
      await page.click("#views a[href='#chat']");
      await loadByKeyboard(page);
      await page.keyboard.press("Enter");
      await page.waitForSelector(DONE);
      assert.equal(await page.locator("#error").isVisible(), false);
    } finally {
      await context.close();
      server = await pythonServer(root);
    }
  });

  test("fetches nothing of 5 MB and more before a click, in any view", async () => {
    const { page, context, complaints, fetched } = await visitor("");
    try {
      await page.click("#views a[href='#search']");
      await page.waitForSelector("#search-load-default:visible");
      await page.click("#views a[href='#images']");
      await page.waitForSelector("#images-view[data-state=ready] #classes li");
      await page.click("#views a[href='#chat']");
      await page.click("[data-suggestion]");
      await page.waitForSelector("[data-role=assistant][data-state=waiting]");
      await page.waitForFunction(() => document.querySelector("#status").textContent === "Load a model first");
      assert.deepEqual(fetched.filter((url) => url.includes("huggingface")), []);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  });

  test("says in words that a link's model is no address", async () => {
    const { page, context } = await visitor("?model=ftp%3A%2F%2Fnowhere");
    try {
      assert.match(await page.innerText("#error"), /ftp:\/\/nowhere/);
      assert.match(await page.innerText("#choose"), /SmolLM2/);
    } finally {
      await context.close();
    }
  });

  test("can be installed: its manifest and icons are there", () => {
    const manifest = JSON.parse(readFileSync(join(root, FOLDER, "manifest.webmanifest"), "utf8"));
    const files = new Set(filesUnder(join(root, FOLDER)));
    for (const { src } of manifest.icons) assert.ok(files.has(src), src);
    assert.deepEqual([manifest.start_url, manifest.scope], ["./", "./"]);
  });
});
