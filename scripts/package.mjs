// The TypeScript package in dist/, from js/ and the core's bindings in dist/simd, dist/threads, dist/relaxed and dist/grammar:
//
//     index.js, in-this-thread.js   the page's modules (page/, shared/), each with its types, for bundlers to choose from
//     openai.js, ai-sdk.js,         OpenAI's API over them, a provider for the AI SDK,
//     prompt-api.js                 and the Prompt API's LanguageModel
//     remote.js                     the same classes over models on a server
//     azulejo.min.js                the same in one file, for a <script type=module>
//     worker.js, thread.js          one file each, bindings and all: bundlers copy them and look no further

import { build } from "esbuild";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, posix, relative, sep } from "node:path";
import { root, run } from "./run.mjs";
import { BUILDS } from "./toolchain.mjs";

const dist = join(root, "dist");
/** Where tsc leaves its output: what only the worker needs does not become a file of the package. */
const compiled = join(root, "target", "js");

/** What callers import. */
const ENTRIES = ["index", "in-this-thread", "openai", "ai-sdk", "prompt-api", "remote"];

export const filesUnder = (folder) => readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)).replaceAll(sep, "/"));

/** Compiles a project, and gives its modules' names. */
export function typescript(project, source) {
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", project]);
  return filesUnder(source).filter((file) => /(?<!\.d)\.ts$/.test(file)).map((file) => file.replace(/\.ts$/, ""));
}

/** Removes every file below `folder` that is not among `made`: what an earlier build left behind. */
export function removeOthers(folder, made) {
  for (const file of filesUnder(folder)) if (!made.has(file)) rmSync(join(folder, file));
  for (const each of readdirSync(folder, { withFileTypes: true }))
    if (each.isDirectory() && filesUnder(join(folder, each.name)).length === 0) rmSync(join(folder, each.name), { recursive: true });
}

export async function buildPackage() {
  for (const name of Object.keys(BUILDS)) {
    if (existsSync(join(dist, name, "azulejo.js"))) continue;
    console.error(`dist/${name} is missing: run npm run build once without --skip-core`);
    process.exit(1);
  }
  writeVersion();
  const modules = typescript(".", join(root, "js"));
  removeOthers(compiled, new Set(modules.flatMap((module) => [`${module}.js`, `${module}.d.ts`])));
  const made = new Set(["azulejo.min.js", "worker.js", "thread.js"]);
  for (const file of [...await modulesOf(...ENTRIES), ...typesOf(...ENTRIES)]) {
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    copyFileSync(join(compiled, file), join(dist, file));
    made.add(file);
  }
  await bundle("index", "azulejo.min.js", { minify: true });
  // Names stay, for 6 kB of 43 compressed: the stack of what fails so far from the page can be read.
  for (const entry of ["worker", "thread"]) await bundle(entry, `${entry}.js`, { minifySyntax: true, minifyWhitespace: true });
  for (const name of Object.keys(BUILDS)) for (const file of filesUnder(join(dist, name))) made.add(`${name}/${file}`);
  removeOthers(dist, made);
}

/** package.json says it, and the modules of page, worker and threads are told. */
function writeVersion() {
  const file = join(root, "js", "shared", "version.ts");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const comment = "/** This release of the package, as npm has it: page, worker and threads have to be of one. */";
  const code = `// Made by scripts/package.mjs from package.json.\n\n${comment}\nexport const version: string = ${JSON.stringify(version)};\n`;
  if (!existsSync(file) || readFileSync(file, "utf8") !== code) writeFileSync(file, code);
}

function bundle(entry, output, how) {
  return build({
    entryPoints: [join(compiled, `${entry}.js`)],
    outfile: join(dist, output),
    absWorkingDir: root,
    bundle: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    logLevel: "warning",
    metafile: true,
    plugins: [bindings],
    ...how,
  });
}

/** `simd/azulejo.js` and its like are wasm-bindgen's, in dist/. What is the same for two builds is bundled once. */
const bindings = {
  name: "bindings",
  setup({ onResolve }) {
    const at = (name) => join(dist, name, "azulejo.js");
    const names = Object.keys(BUILDS);
    onResolve({ filter: new RegExp(`^\\.{1,2}/(${names.join("|")})/azulejo\\.js$`) }, ({ path }) => {
      const code = readFileSync(at(basename(dirname(path))), "utf8");
      return { path: at(names.find((name) => readFileSync(at(name), "utf8") === code)) };
    });
  },
};

/** The files that these modules import, and they themselves; the worker is a bundle of its own. */
async function modulesOf(...entries) {
  const files = new Set();
  for (const entry of entries) {
    const { metafile } = await bundle(entry, `${entry}.js`, { write: false, external: ["./worker.js"] });
    for (const input of Object.keys(metafile.inputs)) files.add(relative(compiled, join(root, input)).replaceAll(sep, "/"));
  }
  return files;
}

/** The declarations that these modules' declarations mention. */
function typesOf(...entries) {
  const files = new Set();
  const visit = (file) => {
    if (files.has(file)) return;
    files.add(file);
    for (const [, module] of readFileSync(join(compiled, file), "utf8").matchAll(/(?:from|import\()\s*"(\.[^"]+)\.js"/g))
      visit(`${posix.join(dirname(file), module)}.d.ts`);
  };
  for (const entry of entries) visit(`${entry}.d.ts`);
  return files;
}
