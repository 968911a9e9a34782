// Prints what each wasm module weighs, and fails if one is over the budget: what a page downloads, compressed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "./run.mjs";
import { BUILDS } from "./toolchain.mjs";

/** Of gzip; Brotli, which most servers speak, makes a fifth less of it. */
const BUDGETS = { simd: 1_020_000, threads: 1_020_000, relaxed: 1_020_000, grammar: 450_000 };

const bytes = (count) => `${count.toLocaleString("en")} bytes`;

for (const name of Object.keys(BUILDS)) {
  const module = readFileSync(join(root, "dist", name, "azulejo_bg.wasm"));
  const compressed = gzipSync(module, { level: 9 }).length;
  const budget = BUDGETS[name];
  const within = compressed <= budget;
  console.log(`${name}: ${bytes(module.length)}, gzip ${bytes(compressed)}, ${within ? "within" : "OVER"} the budget of ${bytes(budget)}`);
  if (!within) process.exitCode = 1;
}
