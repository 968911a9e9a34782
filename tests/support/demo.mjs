// The demo page as a visitor gets it, for the tests that look at it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/run.mjs";
import { startServer } from "./server.mjs";

/**
 * The page in a browser that never saw it. `complaints`: what it or the browser said in the console.
 * @param {import("playwright-core").Browser} browser
 * @param {{ server?: object, hash?: string, context?: object }} [options] how it is served, which view, what browser window
 */
export async function visit(browser, { server: how = {}, hash = "", context: window = {} } = {}) {
  const server = await startServer(how);
  const context = await browser.newContext(window);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("worker", (worker) => worker.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); }));
  await page.goto(server.url + hash);
  return {
    page, complaints, url: server.url,
    async close() {
      await context.close();
      await server.close();
    },
  };
}

/** Has the search view load its model, which it does not do unasked, and waits for its answer. */
export async function startSearch(page) {
  await page.click("#search-load-default");
  await page.waitForSelector("#search-view[data-state=ready] #hits li");
}

/** A model of the conformance set as a visitor would choose its files together; `more`: name → text. */
export function modelFiles(family, more = {}) {
  const files = ["config.json", "model.safetensors"].map((name) => [name, readFileSync(join(root, "tests/conformance", family, name))]);
  return [...files, ...Object.entries(more)].map(([name, content]) => ({
    name, mimeType: "application/octet-stream", buffer: Buffer.from(content),
  }));
}

/** Controls that a screen reader would call by no name. */
export const nameless = (page) => page.evaluate(() => [...document.querySelectorAll("button, input, select, textarea, canvas, video, progress")]
  .filter((each) => !(each.textContent.trim() || each.labels?.length || each.getAttribute("aria-label") || each.getAttribute("aria-labelledby")))
  .map(({ outerHTML }) => outerHTML));

/** Presses Tab until each of these was reached. */
export async function reachAll(page, ids) {
  const wanted = new Set(ids);
  for (let step = 0; wanted.size > 0; step++) {
    if (step === 80) throw new Error(`Tab does not reach ${[...wanted].join(", ")}`);
    await page.keyboard.press("Tab");
    wanted.delete(await page.evaluate(() => document.activeElement.id));
  }
}

/** Runs `look` with the page in the window of a phone, upright and across; then nothing may stick out. */
export async function onPhones(browser, hash, look) {
  for (const viewport of [{ width: 360, height: 740 }, { width: 740, height: 360 }]) {
    const visited = await visit(browser, { server: { isolated: false }, hash, context: { viewport, hasTouch: true, isMobile: true } });
    try {
      await look(visited.page);
      const [content, width] = await visited.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      if (content > width) throw new Error(`${content} pixels wide in a window of ${width}`);
    } finally {
      await visited.close();
    }
  }
}

/** Has the page itself drop a file on the page. */
export async function dropFile(page, name, bytes, type = "") {
  await page.evaluate(([name, bytes, type]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
  }, [name, [...bytes], type]);
}

/** Adds rules to the page's own, in place of those that were added before; no Content-Security-Policy minds. */
export async function style(page, css) {
  await page.evaluate((css) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    document.adoptedStyleSheets = [sheet];
  }, css);
}

/** Words that are seen on more than one line or stick out of their control, and a page wider than its window. */
export const brokenWords = (page) => page.evaluate(() => {
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode());) {
    const parent = text.parentElement;
    if (!parent.checkVisibility() || parent.closest("option, template, .visually-hidden, pre")) continue;
    const control = parent.closest("a, button, .button, summary, label, h1, h2, h3, th, td, .card");
    const box = (parent.closest("svg") ? undefined : control)?.getBoundingClientRect();
    for (const { 0: word, index } of text.data.matchAll(/[\p{L}\p{N}]+/gu)) {
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      const lines = [...range.getClientRects()].filter(({ width }) => width > 0);
      if (new Set(lines.map(({ top }) => Math.round(top))).size > 1) found.push(`${word} is broken in <${parent.localName}>`);
      else if (box && lines.some(({ left, right }) => left < box.left - 1 || right > box.right + 1)) found.push(`${word} sticks out of <${control.localName}>`);
    }
  }
  const { scrollWidth } = document.documentElement;
  if (scrollWidth > innerWidth) found.push(`the page is ${scrollWidth} pixels wide`);
  return [...new Set(found)];
});
