// Takes the README's pictures: the real page with the real models, asked one question, shown a boot, asked for what it
// means, and looked into.
//
//     node scripts/screenshot.mjs                    all of them, of the built page, which it serves itself
//     node scripts/screenshot.mjs images search      only these, of chat, images, search, anatomy
//     node scripts/screenshot.mjs http://…/          of the page at this address
//
// Writes docs/screenshot.png and docs/screenshot-VIEW.png, as small as pngquant makes them where it is installed. The
// chat's picture shows how fast it was: take it on a quiet machine.

import { spawnSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { CHROMIUM_ARGUMENTS, findChromium } from "./chromium.mjs";
import { root } from "./run.mjs";
import { serve } from "./serve.mjs";

const question = "Explain in two sentences why the sky is blue.";

/** Waits for what should come; an error on the page is an error here. */
async function expect(page, selector) {
  const end = await page.waitForSelector(`${selector}, #error:not([hidden])`, { timeout: 300_000 });
  if ((await end.getAttribute("id")) === "error") throw new Error(await end.innerText());
}

/** Loads the default model, asks, and waits for the whole answer. */
async function converse(page) {
  await page.click("#settings summary");
  await page.fill("#seed", "1");
  await page.click("#settings summary");
  await page.click("#load-default");
  await page.mouse.move(0, 0); // no button drawn as if pointed at
  await page.fill("#prompt", question);
  await page.press("#prompt", "Enter");
  await expect(page, "[data-role=assistant][data-state=done]");
  await rest(page);
}

/** Looks where the model looked. */
async function look(page) {
  await expect(page, "#images-view[data-state=ready] #classes li");
  await page.check("#overlay-attention");
  await page.check("#grid");
  await expect(page, "#grid-caption:not([hidden])");
  await rest(page);
}

/** Searches by meaning. */
async function find(page) {
  await page.click("#search-load-default");
  await expect(page, "#search-view[data-state=ready] #hits li");
  await page.fill("#query", "the colour of daylight");
  await expect(page, "#hits li:first-child:has-text('The sky looks blue')");
  await rest(page);
}

/** Looks inside the chat's model, and where one of its heads looks. */
async function dissect(page) {
  await expect(page, "#anatomy-view[data-state=ready] #diagram svg");
  await page.click("#map-load");
  await expect(page, "#map-heads button");
  await page.getByRole("button", { name: "Head 3", exact: true }).click();
  await rest(page);
}

/** The page as it is when nobody touches it, from its top. */
async function rest(page) {
  await page.mouse.move(0, 0);
  await page.evaluate(async () => {
    document.activeElement.blur();
    scrollTo(0, 0);
    await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
  });
}

/** Fewer colours, of which none is missed; a picture that would suffer stays as it is. */
function shrink(path) {
  const { error } = spawnSync("pngquant", ["--force", "--ext", ".png", "--skip-if-larger", "--strip", "--speed", "1", "--quality", "85-100", path]);
  if (error) console.log("pngquant is not installed: the picture is larger than it need be");
}

const VIEWS = {
  chat: { file: "screenshot.png", size: { width: 900, height: 720 }, scale: 2, act: converse },
  images: { file: "screenshot-images.png", size: { width: 1060, height: 900 }, scale: 1, act: look },
  search: { file: "screenshot-search.png", size: { width: 1060, height: 900 }, scale: 1, act: find },
  anatomy: { file: "screenshot-anatomy.png", size: { width: 1060, height: 900 }, scale: 1, act: dissect },
};

const given = process.argv.slice(2);
const wanted = Object.keys(VIEWS).filter((name) => given.includes(name));
const address = given.find((each) => !(each in VIEWS));
const server = address ? undefined : await serve();
let browser;
try {
  browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_ARGUMENTS });
  mkdirSync(join(root, "docs"), { recursive: true });
  for (const name of wanted.length > 0 ? wanted : Object.keys(VIEWS)) {
    const { file, size, scale, act } = VIEWS[name];
    const page = await browser.newPage({ viewport: size, deviceScaleFactor: scale, colorScheme: "light" });
    await page.goto(`${address ?? server.url}#${name}`);
    await act(page);
    const path = join(root, "docs", file);
    await page.screenshot({ path, fullPage: true });
    await page.close();
    shrink(path);
    console.log(`docs/${file} written, ${Math.round(statSync(path).size / 1000)} kB`);
  }
} finally {
  await browser?.close();
  await server?.close();
}
