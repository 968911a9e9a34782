// Prints what each wasm module weighs, and each adapter, and fails if one is over the budget: what a page downloads, compressed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { root } from "./run.mjs";
import { BUILDS } from "./toolchain.mjs";

/** Of gzip; Brotli, which most servers speak, makes a fifth less of it. */
const BUDGETS = { simd: 1_040_000, threads: 1_040_000, relaxed: 1_040_000, grammar: 450_000 };

/** What each adapter adds to a page that has the package: its own modules, minified. */
const ADAPTERS = ["openai", "ai-sdk", "prompt-api", "remote"];
const ADAPTER_BUDGET = 10_000;

const bytes = (count) => `${count.toLocaleString("en")} bytes`;

function weigh(name, content, budget) {
  const compressed = gzipSync(content, { level: 9 }).length;
  const within = compressed <= budget;
  console.log(`${name}: ${bytes(content.length)}, gzip ${bytes(compressed)}, ${within ? "within" : "OVER"} the budget of ${bytes(budget)}`);
  if (!within) process.exitCode = 1;
}

/** The page's modules and what is shared stay outside. */
const packages = { name: "the package's", setup: ({ onResolve }) => void onResolve({ filter: /\/(page|shared)\// }, ({ path }) => ({ path, external: true })) };

async function adapter(name) {
  const { outputFiles: [file] } = await build({ entryPoints: [join(root, "dist", `${name}.js`)], bundle: true, minify: true, write: false, format: "esm", target: "es2022", plugins: [packages] });
  return file.contents;
}

for (const name of Object.keys(BUILDS)) weigh(name, readFileSync(join(root, "dist", name, "azulejo_bg.wasm")), BUDGETS[name]);
for (const name of ADAPTERS) weigh(`azulejo/${name}`, await adapter(name), ADAPTER_BUDGET);
