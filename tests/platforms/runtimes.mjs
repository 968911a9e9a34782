// Runtimes without a browser, as packages of npm that carry them.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/run.mjs";
import { QUIET, run } from "../support/package.mjs";

const HERE = `${process.platform}-${process.arch}`;

/** By name: the package of that runtime, and where in it, or in one that came with it for this machine, the program lies. */
const PACKAGES = {
  node: { name: `node-${HERE}`, program: (modules) => join(modules, `node-${HERE}`, "bin", "node") },
  bun: { name: "bun", program: (modules) => join(modules, "@oven", first(join(modules, "@oven")), "bin", "bun") },
  deno: { name: "deno", program: (modules) => join(modules, "@deno", first(join(modules, "@deno")), "deno") },
};

const first = (folder) => readdirSync(folder)[0];

/** Installs that version of a runtime below .tools, where it stays for the next time, and gives its path. */
export function findRuntime(runtime, version) {
  const { name, program } = PACKAGES[runtime];
  const folder = join(root, ".tools", "runtimes", `${runtime}-${version}`);
  const stamp = join(folder, "node_modules", ".package-lock.json"); // npm writes it at the end of each install
  if (!existsSync(stamp)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
    // Their scripts would only save a millisecond at each start, or fetch more.
    run(folder, "npm", "install", ...QUIET, "--ignore-scripts", "--no-save", "--no-package-lock", "--prefer-offline", `${name}@${version}`);
  }
  return program(join(folder, "node_modules"));
}
