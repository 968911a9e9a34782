// The browser that the tests drive.

import { chromium } from "playwright-core";
import { CHROMIUM_ARGUMENTS, findChromium } from "../../scripts/chromium.mjs";

/** Whatever is waited for on a page comes by then, on a busy machine too: loading a checkpoint is the longest of it. */
const PATIENCE_MS = 180_000;

/** @param {{ args?: string[] }} [options] arguments besides the usual ones */
export async function launchBrowser({ args = [] } = {}) {
  const browser = await chromium.launch({ executablePath: findChromium(), args: [...CHROMIUM_ARGUMENTS, ...args], timeout: PATIENCE_MS });
  browser.on("context", (context) => context.setDefaultTimeout(PATIENCE_MS));
  return browser;
}
