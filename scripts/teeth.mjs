// npm run teeth -- [--all] [--only FILE,…] [--seed N]
//
// Whether the tests have teeth: makes one number of a model's spec, or one place of a kernel's text, wrong at a time, and
// holds each mistake against the conformance set and the kernels' tests (tests/native/teeth). The mistakes are made by
// rule, within one build of the native tests. Those that make no difference are in equivalent.json with their proofs.
//
// All of the specs' are tried, and of the kernels' those that are due: as many as half an hour has room for on two cores,
// of every file some. --seed takes others, --all all (hours), --only those of some files. It ends with
// `N mutations, 0 survive`; what survives is told, and makes it fail.

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { vulkanEnvironment } from "./chromium.mjs";
import { root } from "./run.mjs";

/** So many of the kernels' are due. */
const DUE = 1000;
/** A check that takes longer hangs. */
const LONGEST_S = 300;

const { values } = parseArgs({
  options: { all: { type: "boolean", default: false }, only: { type: "string" }, seed: { type: "string", default: "0" } },
});

/** Runs a program to its end, which is its status and what it has said. */
function output(program, args, env, longest) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const said = [[], []];
    [child.stdout, child.stderr].forEach((stream, n) => stream.on("data", (piece) => said[n].push(piece)));
    const late = longest && setTimeout(() => child.kill("SIGKILL"), longest * 1000);
    child.on("error", reject);
    child.on("close", (status, signal) => {
      clearTimeout(late);
      const [out, error] = said.map((pieces) => Buffer.concat(pieces).toString());
      resolve({ status, signal, out, error });
    });
  });
}

/** The native tests' program. */
async function built() {
  const { status, out, error } = await output("cargo", ["test", "--locked", "--no-run", "--test", "native", "--message-format=json"]);
  if (status !== 0) throw new Error(`the native tests do not build:\n${error}`);
  const messages = out.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  return messages.find(({ reason, target }) => reason === "compiler-artifact" && target.name === "native").executable;
}

const program = await built();

/** One of the tests of teeth, told what to do. */
function teeth(test, what, longest) {
  const args = ["--exact", `teeth::${test}`, "--nocapture", "--test-threads=1"];
  return output(program, args, { ...vulkanEnvironment(), AZULEJO_TEETH: what }, longest);
}

/** Every mistake that the kernels could have: its number and what it is. */
async function kernelMistakes() {
  const { status, out, error } = await teeth("a_wrong_line_in_a_kernel_is_caught", "list");
  if (status !== 0) throw new Error(error);
  return [...out.matchAll(/^teeth (\d+) (([^:]+): .*)$/gm)].map(([, number, label, file]) => ({ number, label, file }));
}

/** A number that looks random, always the same for the same words. */
function hash(text) {
  let sum = 2166136261;
  for (const byte of Buffer.from(text)) sum = Math.imul(sum ^ byte, 16777619) >>> 0;
  return sum;
}

/** Those that are due: a share of each file's, two at least. */
function due(mistakes) {
  const files = {};
  for (const mistake of mistakes) (files[mistake.file] ??= []).push(mistake);
  const only = values.only?.split(",");
  const chosen = Object.entries(files).filter(([file]) => !only || only.includes(file)).map(([, list]) => list);
  if (values.all || only) return chosen.flat();
  const share = DUE / mistakes.length;
  const order = ({ label }) => hash(`${values.seed} ${label}`);
  return chosen.flatMap((list) => list.sort((a, b) => order(a) - order(b)).slice(0, Math.max(2, Math.round(share * list.length))));
}

const count = { caught: 0, refused: 0 };
const survivors = [];

function told({ label }, { status, signal, out }) {
  const outcome = out.match(/^teeth \d+ (\w+) /m)?.[1];
  if (outcome === "Refused") count.refused += 1;
  else if (outcome === "Survived") survivors.push(label);
  // A driver that hangs or crashes has been noticed, too.
  else if (outcome === "Caught" || signal || status !== 0) count.caught += 1;
  else throw new Error(`no outcome of ${label}:\n${out}`);
  if (outcome === "Survived") console.log(`survives: ${label}`);
}

async function kernels() {
  const waiting = due(await kernelMistakes());
  console.log(`${waiting.length} mistakes in kernels`);
  const work = async () => {
    for (let mistake = waiting.shift(); mistake; mistake = waiting.shift()) {
      told(mistake, await teeth("a_wrong_line_in_a_kernel_is_caught", mistake.number, LONGEST_S));
      if (waiting.length % 50 === 0) console.log(`${waiting.length} to go, after ${Math.round(performance.now() / 1000)} s`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 2) }, work));
}

async function specs() {
  const { out } = await teeth("a_wrong_number_in_a_spec_is_caught", "specs");
  const found = out.match(/^specs: (\d+) mutations, (\d+) survive, (\d+) refused$/m);
  if (!found) throw new Error(`no outcome of the specs:\n${out}`);
  const [tried, survive, refused] = found.slice(1).map(Number);
  count.caught += tried - survive;
  count.refused += refused;
  for (const [, label] of out.matchAll(/^survives: (.*)$/gm)) {
    survivors.push(label);
    console.log(`survives: ${label}`);
  }
  console.log(`${tried} mistakes in specs`);
}

if (!values.only) await specs();
await kernels();
console.log(`${count.refused} more do not load or compile: they are refused, and not counted`);
console.log(`${count.caught + survivors.length} mutations, ${survivors.length} survive`);
process.exitCode = survivors.length > 0 ? 1 : 0;
