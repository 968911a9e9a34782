// The packages of bench/package.json, installed only when they are wanted.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BENCH = fileURLToPath(new URL(".", import.meta.url));
/** npm's groups that are left out until their package is wanted. */
const GROUPS = { optional: "onnxruntime-web", dev: "webgpu" };

/** Where a package lies once it is installed. */
export const packageFolder = (name) => join(BENCH, "node_modules", name);

/** Has npm install the packages that are wanted, with their groups, and keeps those it has. */
export function install(wanted) {
  const has = (name) => existsSync(packageFolder(name));
  if (wanted.every(has)) return;
  const without = Object.keys(GROUPS).filter((group) => !wanted.includes(GROUPS[group]) && !has(GROUPS[group]));
  const command = ["install", "--no-audit", "--no-fund", ...without.map((group) => `--omit=${group}`)];
  execFileSync("npm", command, { cwd: BENCH, stdio: "inherit" });
}
