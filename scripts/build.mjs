// npm run build [-- --only simd|threads] [--no-optimize]
//
// Builds dist/: the Rust core twice (wasm-bindgen, wasm-opt), the TypeScript package, and www-dist/, the demo page.
// Steps whose inputs have not changed are skipped, and what an earlier build left behind is removed.

import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { parseArgs } from "node:util";
import { root, run } from "./run.mjs";
import { BUILDS, cargo } from "./toolchain.mjs";

const { values: options } = parseArgs({ options: { only: { type: "string" }, "no-optimize": { type: "boolean" } } });
if (options.only && !BUILDS[options.only]) throw new Error(`--only takes ${Object.keys(BUILDS).join(" or ")}, not ${options.only}`);

/** What wasm-opt is told of both builds: the features of rustc's wasm32 target. */
const COMMON = ["--enable-bulk-memory", "--enable-nontrapping-float-to-int", "--enable-sign-ext", "--enable-mutable-globals",
  "--enable-reference-types", "--enable-multivalue", "--enable-bulk-memory-opt"];

/** Compiles the core; cargo knows what has changed. Returns the module's path. */
function compile(name) {
  console.log(`building the core: ${name}`);
  // With an rlib beside the module, as Cargo.toml asks for, cargo leaves link-time optimisation out without a word.
  const target = cargo(name, "rustc", ["--release", "--crate-type", "cdylib"]);
  return join(target, "wasm32-unknown-unknown", "release", "azulejo.wasm");
}

/** JavaScript bindings and the optimised module, in dist/NAME. */
function bind(name, module) {
  const folder = join(root, "dist", name);
  const output = join(folder, "azulejo_bg.wasm");
  // Functions of one kind next to each other compress better: 16 kB of the module, and nothing in it changes.
  const optimize = options["no-optimize"] ? [] : ["-O2", "--reorder-functions-by-name", ...COMMON, ...BUILDS[name].optimize];
  // Beside the module, not in the package: what the output was made from, and how.
  const stamp = join(root, "target", `wasm-${name}`, "bound");
  const made = JSON.stringify([statSync(module).mtimeMs, optimize]);
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, "utf8") === made) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  run(join(root, ".tools", "bin", "wasm-bindgen"), ["--target", "web", "--out-dir", folder, "--out-name", "azulejo", module]);
  rmSync(join(folder, "azulejo_bg.wasm.d.ts")); // the raw exports: nobody imports them
  if (optimize.length) {
    const optimized = `${output}.opt`;
    run(process.execPath, [join(root, "node_modules", "binaryen", "bin", "wasm-opt"), ...optimize, output, "-o", optimized]);
    renameSync(optimized, output);
  }
  writeFileSync(stamp, made);
}

const filesUnder = (folder) => readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)).replaceAll(sep, "/"));

/**
 * Compiles SOURCE/*.ts into OUTPUT, copies `assets` there, and removes every file that neither made, except below the
 * folders `others`.
 */
function typescript(project, source, output, { assets = [], declarations = false, others = [] }) {
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", project]);
  for (const file of assets) {
    mkdirSync(dirname(join(root, output, file)), { recursive: true });
    copyFileSync(join(root, source, file), join(root, output, file));
  }
  const made = new Set(assets);
  for (const file of filesUnder(join(root, source))) {
    if (!file.endsWith(".ts") || file.endsWith(".d.ts")) continue;
    made.add(file.replace(/\.ts$/, ".js"));
    if (declarations) made.add(file.replace(/\.ts$/, ".d.ts"));
  }
  for (const file of filesUnder(join(root, output))) {
    if (!made.has(file) && !others.some((folder) => file.startsWith(`${folder}/`))) rmSync(join(root, output, file));
  }
}

for (const name of Object.keys(BUILDS)) {
  if (!options.only || options.only === name) bind(name, compile(name));
}
typescript(".", "js", "dist", { declarations: true, others: Object.keys(BUILDS) });
const assets = ["models", "samples"]
  .flatMap((folder) => filesUnder(join(root, "www", folder)).map((file) => `${folder}/${file}`))
  .filter((file) => !file.endsWith(".md"));
typescript("www", "www", "www-dist", { assets: ["index.html", "style.css", "images.css", "search.css", "anatomy.css", "logo.svg", ...assets] });
