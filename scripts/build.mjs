// npm run build [-- --only simd|threads|relaxed|grammar] [--skip-core] [--no-optimize]
//
// Builds dist/: the Rust core three times and the grammars (wasm-bindgen, wasm-opt), the TypeScript package
// (scripts/package.mjs), and www-dist/, the demo page. Steps whose inputs have not changed are skipped. --skip-core leaves
// the .wasm as they are.

import { build } from "esbuild";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { gpuFamilies } from "./gpu-families.mjs";
import { buildPackage, filesUnder, removeOthers, typescript } from "./package.mjs";
import { root, run, runBeside } from "./run.mjs";
import { BUILDS, cargo } from "./toolchain.mjs";

const { values: options } = parseArgs({
  options: { only: { type: "string" }, "skip-core": { type: "boolean" }, "no-optimize": { type: "boolean" } },
});
if (options.only && !BUILDS[options.only]) throw new Error(`--only takes ${Object.keys(BUILDS).join(", ")}, not ${options.only}`);

/** What wasm-opt is told of every build: the features of rustc's wasm32 target. */
const COMMON = ["--enable-bulk-memory", "--enable-nontrapping-float-to-int", "--enable-sign-ext", "--enable-mutable-globals",
  "--enable-reference-types", "--enable-multivalue", "--enable-bulk-memory-opt"];

/** Compiles a module; cargo knows what has changed. Resolves to the module's path. */
async function compile(name) {
  console.log(`building a module: ${name}`);
  // With an rlib beside the module, as Cargo.toml asks for, cargo leaves link-time optimisation out without a word.
  const target = await cargo(name, "rustc", ["--release", "--crate-type", "cdylib"]);
  return join(target, "wasm32-unknown-unknown", "release", `${(BUILDS[name].crate ?? "azulejo").replace("-", "_")}.wasm`);
}

/** JavaScript bindings and the optimised module, in dist/NAME. */
async function bind(name, module) {
  const folder = join(root, "dist", name);
  const output = join(folder, "azulejo_bg.wasm");
  // The package tells where the module lies: without a default, bundlers look for none.
  const bindings = ["--target", "web", "--omit-default-module-path", ...BUILDS[name].bind];
  // Functions of one kind next to each other compress better: 16 kB of the module, and nothing in it changes. Long ones
  // that have one caller stay functions: 8 kB less than with all of them inlined, at the same speed.
  const size = ["--reorder-functions-by-name", "--one-caller-inline-max-function-size=100"];
  const optimize = options["no-optimize"] ? [] : ["-O2", "--shrink-level=1", ...size, ...COMMON, ...BUILDS[name].optimize];
  // Beside the module, not in the package: what the output was made from, and how.
  const stamp = join(root, "target", `wasm-${name}`, "bound");
  const made = JSON.stringify([statSync(module).mtimeMs, bindings, optimize]);
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, "utf8") === made) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  run(join(root, ".tools", "bin", "wasm-bindgen"), [...bindings, "--out-dir", folder, "--out-name", "azulejo", module]);
  rmSync(join(folder, "azulejo_bg.wasm.d.ts")); // the raw exports: nobody imports them
  if (optimize.length) {
    const optimized = `${output}.opt`;
    await runBeside(process.execPath, [join(root, "node_modules", "binaryen", "bin", "wasm-opt"), ...optimize, output, "-o", optimized]);
    renameSync(optimized, output);
  }
  writeFileSync(stamp, made);
}

/** Each build has one core busy for most of its time: two of them at once. */
async function buildCore(names) {
  const waiting = [...names];
  const workOff = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await bind(name, await compile(name));
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, workOff));
}

async function buildPage() {
  const copied = ["index.html", "gpu.html", "style.css", "images.css", "search.css", "anatomy.css", "gpu.css", "logo.svg",
    "manifest.webmanifest", "service-worker.js"];
  for (const folder of ["models", "samples", "icons"]) {
    const files = filesUnder(join(root, "www", folder)).map((file) => `${folder}/${file}`);
    copied.push(...files.filter((file) => !file.endsWith(".md")));
  }
  const modules = typescript("www", join(root, "www"));
  for (const file of copied) {
    mkdirSync(dirname(join(root, "www-dist", file)), { recursive: true });
    copyFileSync(join(root, "www", file), join(root, "www-dist", file));
  }
  writeFileSync(join(root, "www-dist", "gpu", "families.json"), gpuFamilies());
  // The one module that is not ours, with its licence: marked's lexer, of which the page makes elements.
  await build({
    banner: { js: `/*!\n${readFileSync(join(root, "node_modules", "marked", "LICENSE"), "utf8")}*/` },
    stdin: { contents: 'export { Lexer } from "marked";', resolveDir: root },
    outfile: join(root, "www-dist", "marked.js"), bundle: true, format: "esm", target: "es2022", minify: true, logLevel: "warning",
  });
  removeOthers(join(root, "www-dist"), new Set([...copied, "gpu/families.json", "marked.js", ...modules.map((module) => `${module}.js`)]));
}

if (!options["skip-core"]) await buildCore(options.only ? [options.only] : Object.keys(BUILDS));
await buildPackage();
await buildPage();
