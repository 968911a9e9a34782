// Puts the demo page together as a folder of static files, which works under any path and offline after one visit:
//
//     node scripts/site.mjs [--out FOLDER] [--with-models]
//
// Needs www-dist/ and dist/ (npm run build). Without --with-models the larger checkpoints come from the Hugging Face hub; with it
// those of models/ are copied along. Try it with: python3 -m http.server --directory FOLDER

import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";
import { filesUnder } from "./package.mjs";
import { root } from "./run.mjs";

/** Where the site lies and what it links to, as far as there is such a place. What needs one that is missing is left out. They end in "/". */
const ADDRESSES = { site: undefined, source: undefined, package: undefined, docs: undefined };

/** Of the package, what the page does not import. */
const UNUSED = /\.d\.ts$|^(openai|ai-sdk|prompt-api)\b|^in-this-thread|\.min\.js$|^\w+\/azulejo\.js$/;
/** Larger than what is fetched unasked, or only for some: kept once it was used. */
const ON_USE = /\.wasm$|^icons\/card\.png$/;
const MODELS = ["SmolLM2-135M-Instruct.Q4_1.gguf", "all-MiniLM-L6-v2"];

/** @param {{ out: string, models?: boolean }} options the folder, which is made anew; whether the checkpoints are copied */
export function buildSite({ out, models = false }) {
  for (const folder of ["www-dist", "dist"])
    if (!existsSync(join(root, folder))) throw new Error(`${folder}/ is missing: run npm run build first`);
  rmSync(out, { recursive: true, force: true });
  copy(join(root, "www-dist"), out, filesUnder(join(root, "www-dist")));
  copy(join(root, "dist"), join(out, "azulejo"), filesUnder(join(root, "dist")).filter((file) => !UNUSED.test(file)));
  for (const page of ["index.html", "gpu.html"]) {
    const path = join(out, page);
    writeFileSync(path, finished(readFileSync(path, "utf8"), models));
  }
  writeServiceWorker(out);
  if (models) for (const name of MODELS) cpSync(join(root, "models", name), join(out, "models", name), { recursive: true, dereference: true });
}

function copy(from, to, files) {
  for (const file of files) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(from, file), join(to, file));
  }
}

/** A page that knows it is hosted: where its models are, its service worker, its card for link previews, its links. */
function finished(html, models) {
  const { site, ...places } = ADDRESSES;
  const card = site === undefined ? [] : [["og:url", site], ["og:image", `${site}icons/card.png`], ["twitter:card", "summary_large_image"]];
  const links = Object.entries(places).filter(([, address]) => address !== undefined);
  return html.replace('data-models="beside"', `data-models="${models ? "beside" : "hub"}"`)
    .replace("<html ", '<html data-service-worker="service-worker.js" ')
    .replace("  </head>", card.map(([name, content]) => `    <meta property="${name}" content="${content}">\n`).join("") + "  </head>")
    .replace('<ul id="links" class="quiet">\n', (list) =>
      list + links.map(([name, address]) => `          <li><a href="${address}">${name[0].toUpperCase()}${name.slice(1)}</a></li>\n`).join(""));
}

function writeServiceWorker(out) {
  const path = join(out, "service-worker.js");
  const files = filesUnder(out).filter((file) => file !== "service-worker.js" && !ON_USE.test(file)).sort();
  const hash = createHash("sha256");
  for (const file of filesUnder(out).sort()) hash.update(file).update(readFileSync(join(out, file)));
  const addresses = files.map((file) => (file === "index.html" ? "./" : file));
  const constants = `const VERSION = "${hash.digest("hex").slice(0, 16)}";\nconst FILES = ${JSON.stringify(addresses)};\n`;
  writeFileSync(path, constants + readFileSync(path, "utf8"));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { out: { type: "string", default: "site" }, "with-models": { type: "boolean", default: false } } });
  buildSite({ out: join(root, values.out), models: values["with-models"] });
  console.log(`${values.out}/ is built: python3 -m http.server --directory ${values.out}`);
}
