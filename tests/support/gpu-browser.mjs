// What tests of pages on a GPU need for as long as they run.

import { after, before } from "node:test";
import { WEBGPU_ARGUMENTS } from "../../scripts/chromium.mjs";
import { startApiServer } from "../api-server.mjs";
import { launchBrowser } from "./browser.mjs";

/**
 * A browser with WebGPU, and a server of the package's isolated pages with `files()` beside it: there while the tests of the
 * file, or of the suite, that calls it run.
 */
export function gpuBrowser(files) {
  const there = {};
  before(async () => {
    there.browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    there.server = await startApiServer({ isolated: true, files: files() });
  });
  after(async () => {
    await there.browser?.close();
    await there.server?.close();
  });
  return there;
}
