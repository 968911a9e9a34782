// Which browser the tests, the benchmark and the screenshot drive. As a command it prints the path.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const PLACES = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** $CHROMIUM, or the first known browser on the PATH. */
export function findChromium() {
  const given = process.env.CHROMIUM;
  if (given) {
    if (executable(given)) return given;
    throw new Error(`CHROMIUM names ${given}, which cannot be run`);
  }
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/bin"];
  const found = [...NAMES.flatMap((name) => folders.map((folder) => join(folder, name))), ...PLACES].find(executable);
  if (!found) throw new Error("no Chromium found: install it (apt-get install chromium) or set CHROMIUM to its path");
  return found;
}

/**
 * No sandbox: the tests run as root, too, and open only pages of this repository. The rest keeps the browser from
 * calling home, which a closed network answers with errors and delays.
 */
export const CHROMIUM_ARGUMENTS = [
  "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log(findChromium());
