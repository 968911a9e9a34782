// A CDN on an origin of its own: with the package as it is, and bundled anew, as some do.

import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/run.mjs";
import { startServer } from "../support/server.mjs";

/** Of files that pages of other origins may use. */
const FOR_ALL = { "access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin" };
const JSDELIVR = "https://cdn.jsdelivr.net/";
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const PLACE = `npm/azulejo@${version}/`;

/** Serves the packed package that lies in `folder`. */
export async function startCdn(folder) {
  const { url, close } = await startServer({ mounts: { [`/${PLACE}`]: folder }, isolated: false, headers: FOR_ALL });
  return { url, close, assets: `${url}${PLACE}dist/` };
}

/** Makes the page of the example in `app` import from here; `rebundled`: a file that a CDN has made of the package's modules. */
export async function importFrom(cdn, app, rebundled) {
  const file = join(app, "index.html");
  const page = readFileSync(file, "utf8").replace(JSDELIVR, cdn.url);
  if (!rebundled) return writeFileSync(file, page);
  const module = join(app, "node_modules", "azulejo", "bundled.js");
  await build({ entryPoints: [join(app, "node_modules", "azulejo", "dist", "index.js")], bundle: true, format: "esm", outfile: module });
  writeFileSync(file, page.replace("dist/azulejo.min.js", "bundled.js"));
}

/** The strictest Content-Security-Policy under which a page can use that CDN. */
export function policy(cdn, app) {
  const [, inline] = /<script type="importmap">([^<]*)</.exec(readFileSync(join(app, "index.html"), "utf8"));
  const origin = new URL(cdn.url).origin;
  const hash = createHash("sha256").update(inline).digest("base64");
  return [
    "default-src 'none'", `script-src 'self' ${origin} 'sha256-${hash}' 'wasm-unsafe-eval'`, `worker-src blob: ${origin}`,
    `connect-src 'self' ${origin}`, "img-src data:",
  ].join("; ");
}
