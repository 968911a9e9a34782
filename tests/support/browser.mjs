// The browser that the tests drive.

import { chromium } from "playwright-core";
import { CHROMIUM_ARGUMENTS, findChromium } from "../../scripts/chromium.mjs";

/** @param {{ args?: string[] }} [options] arguments besides the usual ones */
export function launchBrowser({ args = [] } = {}) {
  return chromium.launch({ executablePath: findChromium(), args: [...CHROMIUM_ARGUMENTS, ...args] });
}
