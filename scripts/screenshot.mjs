// Takes the README's picture: the real page with the real model, asked one question.
//
//     node scripts/screenshot.mjs [address]
//
// Without an address it serves the built page itself. Writes docs/screenshot.png.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { CHROMIUM_ARGUMENTS, findChromium } from "./chromium.mjs";
import { root } from "./run.mjs";
import { serve } from "./serve.mjs";

const question = "Explain in two sentences why the sky is blue.";

/** Loads the default model, asks, and waits for the whole answer; an error on the page is an error here. */
async function converse(page) {
  await page.click("#settings summary");
  await page.fill("#seed", "1");
  await page.click("#settings summary");
  await page.click("#load-default");
  await page.mouse.move(0, 0); // no button drawn as if pointed at
  await page.fill("#prompt", question);
  await page.press("#prompt", "Enter");
  const end = await page.waitForSelector("[data-role=assistant][data-state=done], #error:not([hidden])", { timeout: 300_000 });
  if ((await end.getAttribute("id")) === "error") throw new Error(await end.innerText());
}

const given = process.argv[2];
const server = given ? undefined : await serve();
let browser;
try {
  browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_ARGUMENTS });
  const page = await browser.newPage({ viewport: { width: 900, height: 720 }, deviceScaleFactor: 2, colorScheme: "light" });
  await page.goto(given ?? server.url);
  await converse(page);
  const picture = join("docs", "screenshot.png");
  mkdirSync(join(root, "docs"), { recursive: true });
  await page.screenshot({ path: join(root, picture) });
  console.log(`${picture} written`);
} finally {
  await browser?.close();
  await server?.close();
}
