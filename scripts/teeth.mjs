// npm run teeth -- [--all] [--only FILE,…] [--seed N]
//
// Whether the tests have teeth: makes one number of a model's spec, or one place of a kernel's text, wrong at a time, and
// holds each mistake against the conformance set and the kernels' tests (tests/native/teeth). The mistakes are made by
// rule, within one build of the native tests. Those that make no difference are in equivalent.json with their proofs.
//
// All of the specs' are tried. The kernels' run on Mesa's driver where that is installed, which compiles them quickest: all
// of them, a few tenths of a second each; those that take subgroups of four on the browser's SwiftShader. Where there is
// only that one, those are tried that are due: as many as half an hour has room for on two cores, of every file some.
// --seed takes others, --all all, --only those of some files. It ends with `N mutations, 0 survive`; what survives is told,
// and makes it fail.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { mesaEnvironment, vulkanEnvironment } from "./chromium.mjs";
import { root } from "./run.mjs";

/** So many of the kernels' are due on a slow driver. */
const DUE = 1000;
/** A process tries so many of one file: it takes a while to begin. */
const TOGETHER = 60;
/** A check that computes for longer hangs the driver: most take less than a second. */
const LONGEST_S = 30;

const { values } = parseArgs({
  options: { all: { type: "boolean", default: false }, only: { type: "string" }, seed: { type: "string", default: "0" } },
});

/** Runs a program to its end, which is its status and the last of its errors. `hear`: each line that it says. */
function run(program, args, env, hear) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    let errors = "";
    child.stderr.on("data", (piece) => (errors = (errors + piece).slice(-10_000)));
    createInterface({ input: child.stdout }).on("line", (line) => hear(line, child));
    child.on("error", reject);
    child.on("close", (status, signal) => resolve({ status, signal, errors }));
  });
}

/** The native tests' program. */
async function built() {
  let executable;
  const args = ["test", "--locked", "--no-run", "--test", "native", "--message-format=json"];
  const { status, errors } = await run("cargo", args, {}, (line) => {
    const { reason, target, executable: path } = JSON.parse(line);
    if (reason === "compiler-artifact" && target.name === "native") executable = path;
  });
  if (status !== 0) throw new Error(`the native tests do not build:\n${errors}`);
  return executable;
}

const program = await built();

/** Seconds that a process has computed, however busy the machine is; where that cannot be seen, those that it has lived. */
function computed(pid) {
  try {
    const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ").slice(11, 13).map(Number);
    return (user + system) / 100;
  } catch {
    return performance.now() / 1000;
  }
}

/** One of the tests of teeth, told what to do. */
function teeth(test, what, env, hear) {
  const args = ["--exact", `teeth::${test}`, "--nocapture", "--test-threads=1"];
  return run(program, args, { ...env, AZULEJO_TEETH: what, RUST_BACKTRACE: "0" }, hear);
}

const mesa = mesaEnvironment();

/** The environment of a driver whose subgroups have so many lanes. */
function driver(lanes) {
  return mesa && lanes === "8" ? mesa : vulkanEnvironment();
}

/** Every mistake that the kernels could have: its number, where it is tried and what it is. */
async function kernelMistakes() {
  const mistakes = [];
  const { status, errors } = await teeth("a_wrong_line_in_a_kernel_is_caught", "list", vulkanEnvironment(), (line) => {
    const found = line.match(/^teeth (\d+) (\d+) (([^:]+): .*)$/);
    if (found) mistakes.push({ number: found[1], lanes: found[2], label: found[3], file: found[4] });
  });
  if (status !== 0) throw new Error(errors);
  return mistakes;
}

/** A number that looks random, always the same for the same words. */
function hash(text) {
  let sum = 2166136261;
  for (const byte of Buffer.from(text)) sum = Math.imul(sum ^ byte, 16777619) >>> 0;
  return sum;
}

/** Those that are due, file by file: a share of each file's, two at least. */
function due(mistakes) {
  const files = {};
  for (const mistake of mistakes) (files[mistake.file] ??= []).push(mistake);
  const only = values.only?.split(",");
  const chosen = Object.entries(files).filter(([file]) => !only || only.includes(file)).map(([, list]) => list);
  if (values.all || only || mesa) return chosen;
  const share = DUE / mistakes.length;
  const order = ({ label }) => hash(`${values.seed} ${label}`);
  return chosen.map((list) => list.sort((a, b) => order(a) - order(b)).slice(0, Math.max(2, Math.round(share * list.length))));
}

const count = { caught: 0, hung: 0, refused: 0 };
const survivors = [];

function survives(label) {
  survivors.push(label);
  console.log(`survives: ${label}`);
}

function settle({ label }, outcome) {
  if (outcome === "Survived") survives(label);
  else count[outcome.toLowerCase()] += 1;
  if (outcome === "Hung") console.log(`hangs or crashes: ${label}`);
}

/** Holds mistakes of one file against its checks. What is left is what follows one at which the driver crashed or hung. */
async function tried(mistakes) {
  let [settled, begun] = [0, 0];
  let watch;
  const { status, signal, errors } = await teeth(
    "a_wrong_line_in_a_kernel_is_caught", mistakes.map(({ number }) => number).join(), driver(mistakes[0].lanes),
    (line, child) => {
      const outcome = line.match(/^teeth \d+ (\w+)$/)?.[1];
      if (outcome === "begins") begun += 1;
      else if (outcome) settle(mistakes[settled++], outcome);
      const longest = computed(child.pid) + LONGEST_S;
      clearInterval(watch);
      watch = setInterval(() => computed(child.pid) > longest && child.kill("SIGKILL"), 1000);
    },
  );
  clearInterval(watch);
  if (settled < mistakes.length) {
    // A driver crashes by a signal. What ends of itself is a check that fails without a mistake, too.
    if (!signal || begun === settled) throw new Error(`${mistakes[0].file}: status ${status ?? signal}\n${errors}`);
    settle(mistakes[settled++], "Hung");
  }
  return mistakes.slice(settled);
}

async function kernels() {
  const files = due(await kernelMistakes());
  const pieces = files.flatMap((list) => {
    const size = Math.ceil(list.length / Math.ceil(list.length / TOGETHER));
    return Array.from({ length: Math.ceil(list.length / size) }, (_, n) => list.slice(n * size, (n + 1) * size));
  });
  console.log(`${files.flat().length} mistakes in kernels`);
  const work = async () => {
    for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
      const begun = performance.now();
      for (let rest = piece; rest.length > 0;) rest = await tried(rest);
      const took = ((performance.now() - begun) / 1000).toFixed(0);
      console.log(`${piece[0].file}: ${piece.length} in ${took} s, after ${(performance.now() / 60_000).toFixed(1)} minutes`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 2) }, work));
}

async function specs() {
  let found;
  const { errors } = await teeth("a_wrong_number_in_a_spec_is_caught", "specs", vulkanEnvironment(), (line) => {
    found ??= line.match(/^specs: (\d+) mutations, (\d+) survive, (\d+) refused$/);
    const [, label] = line.match(/^survives: (.*)$/) ?? [];
    if (label) survives(label);
  });
  if (!found) throw new Error(`no outcome of the specs:\n${errors}`);
  const [tried, survive, refused] = found.slice(1).map(Number);
  count.caught += tried - survive;
  count.refused += refused;
  console.log(`${tried} mistakes in specs`);
}

if (!values.only) await specs();
await kernels();
console.log(`${count.refused} more do not load or compile: they are refused, and not counted`);
console.log(`${count.hung} hang or crash the driver: they are caught`);
console.log(`${count.caught + count.hung + survivors.length} mutations, ${survivors.length} survive`);
process.exitCode = survivors.length > 0 ? 1 : 0;
