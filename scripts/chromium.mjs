// Which browser the tests, the benchmark and the screenshot drive. As a command it prints the path.

import { accessSync, constants, existsSync, readdirSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
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

/**
 * WebGPU where there is no GPU: SwiftShader computes it on the CPU, for which Chromium asks to be told twice. Right or
 * wrong can be seen on it, and that one program is faster than another on it; not how fast a GPU is.
 */
export const WEBGPU_ARGUMENTS = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/**
 * The environment in which native tests find a Vulkan driver: the one given, or the browser's own SwiftShader, which
 * comes with a loader.
 */
export function vulkanEnvironment() {
  return process.env.VK_ICD_FILENAMES ? {} : swiftShader() ?? {};
}

function swiftShader() {
  const folders = [dirname(realpathSync(findChromium())), "/usr/lib/chromium", "/opt/google/chrome"];
  const folder = folders.find((folder) => existsSync(join(folder, "vk_swiftshader_icd.json")));
  if (!folder) return undefined;
  const libraries = [process.env.LD_LIBRARY_PATH, folder].filter(Boolean).join(delimiter);
  return { VK_ICD_FILENAMES: join(folder, "vk_swiftshader_icd.json"), LD_LIBRARY_PATH: libraries };
}

/** Where Debian's mesa-vulkan-drivers puts the description of its driver for processors. */
const MESA = "/usr/share/vulkan/icd.d";

/**
 * The environment in which native tests find Mesa's driver for processors, which has `shader-f16` and subgroups of eight, and
 * are told so; nothing where it is not installed, or where another driver was given. The loader is the browser's.
 */
export function mesaEnvironment() {
  if (process.env.VK_ICD_FILENAMES) return undefined;
  const file = existsSync(MESA) && readdirSync(MESA).find((name) => /^lvp_icd.*\.json$/.test(name));
  return file ? { ...swiftShader(), VK_ICD_FILENAMES: join(MESA, file), AZULEJO_HALVES: "1" } : undefined;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log(findChromium());
