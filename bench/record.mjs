// What is written of a run: the figures, and all that one must know to read or repeat them. bench/results keeps some.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageFolder } from "./install.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The processor as Linux tells of it: of a virtual one the name alone may say little. */
function processor() {
  const family = existsSync("/proc/cpuinfo") && /^cpu family\s*: (\d+)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1];
  return family ? `${cpus()[0].model}, family ${family}` : cpus()[0].model;
}

/** The commit, with a + where something differs from it; nothing outside of a repository. */
function commit() {
  try {
    const git = (...args) => execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "--untracked-files=no", "--", "src", "js", "shaders") ? "+" : ""}`;
  } catch {
    return undefined;
  }
}

/** Machine, versions and date. `rivals`: packages of bench/package.json. */
export function circumstances(runtime, rivals) {
  const version = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version;
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    command: `npm run bench -- ${process.argv.slice(2).map((word) => (/[\s,]/.test(word) ? `"${word}"` : word)).join(" ")}`,
    machine: { processor: processor(), cores: availableParallelism(), load: loadavg()[0], runtime: runtime.name },
    versions: Object.fromEntries([["azulejo", version(ROOT)], ...rivals.map((name) => [name, version(packageFolder(name))])]),
  };
}

/** Prints where it was, and writes everything to the file, if there is to be one. */
export function conclude(file, about, figures) {
  const { runtime, processor, cores, load } = about.machine;
  console.log(`${runtime}, ${processor}, ${cores} cores, load ${load.toFixed(2)}`);
  // Five digits are more than a figure has.
  const short = (_, value) => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value);
  if (file) writeFileSync(file, `${JSON.stringify({ ...about, ...figures }, short, 1)}\n`);
}
