// npm run lab -- [--small] [--seconds 300] [--out lab-results] [--only ceilings,135m] [--native gpu_lab] [--driver swiftshader]
//
// All that one wants to know of a GPU, in a few minutes: see bench/README.md, "The lab". Every step is a process of its own
// with a time of its own, and what it saw is written when it ends: whatever goes wrong later, that stays.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { labReport } from "./report.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DAWN = fileURLToPath(new URL("dawn.mjs", import.meta.url));

/** Half, step, and its weight: of the time that is left, each step has as much as its weight of those to come. */
const STEPS = [
  ["native", "environment", 2],
  ["dawn", "environment", 2],
  ["native", "ceilings", 5],
  ["native", "checks", 12],
  ["dawn", "135m", 20],
  ["native", "rows", 26],
  ["dawn", "ceilings", 5],
  ["native", "choosing", 4],
  ["native", "attention", 10],
  ["dawn", "7b-q4_0", 18],
  ["native", "prompts", 14],
  ["dawn", "checks", 8],
  ["dawn", "7b-q4_k_m", 18],
  ["native", "prompts-in-bytes", 6],
  ["dawn", "encoders", 8],
];
/** A native step ends by itself before it is ended. */
const BEFORE_ITS_END = 0.9;

function options() {
  const { values } = parseArgs({
    options: {
      small: { type: "boolean", default: false },
      seconds: { type: "string" },
      out: { type: "string", default: "lab-results" },
      only: { type: "string" },
      native: { type: "string" },
      driver: { type: "string", default: "default" },
    },
  });
  const seconds = Number(values.seconds ?? (values.small ? 180 : 300));
  if (!(seconds > 0)) throw new Error(`--seconds ${values.seconds}: expected a number above 0`);
  const only = values.only?.split(",");
  const names = STEPS.flatMap(([half, step]) => [half, step, `${half}-${step}`]);
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown) throw new Error(`--only ${unknown}: expected some of ${[...new Set(names)].join(", ")}`);
  if (!["default", "swiftshader"].includes(values.driver)) throw new Error(`--driver ${values.driver}: expected default or swiftshader`);
  const wanted = ([half, step]) => !only || [half, step, `${half}-${step}`].some((name) => only.includes(name));
  return { ...values, seconds, out: resolve(values.out), steps: STEPS.filter(wanted) };
}

/** The program of the native half: given, brought along, or built here. */
function nativeProgram(given) {
  if (given) return resolve(given);
  const brought = join(ROOT, "gpu_lab");
  if (existsSync(brought)) return brought;
  execFileSync("cargo", ["build", "--locked", "--release", "--example", "gpu_lab"], { cwd: ROOT, stdio: "inherit" });
  return join(ROOT, "target/release/examples/gpu_lab");
}

/** Where the driver is, if it is not the machine's own. */
async function environmentOf(driver) {
  if (driver === "default") return process.env;
  const { vulkanEnvironment } = await import("../../scripts/chromium.mjs");
  return { ...process.env, ...vulkanEnvironment() };
}

/** Runs a step for at most so many seconds: what it said, line by line, and how it ended. */
function run(command, args, env, seconds) {
  const started = performance.now();
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const [said, errors] = [[], []];
  child.stdout.on("data", (piece) => said.push(piece));
  child.stderr.on("data", (piece) => errors.push(piece));
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, 1000 * seconds);
  return new Promise((settle) => {
    const end = (how) => {
      clearTimeout(timer);
      const lines = Buffer.concat(said).toString().split("\n").flatMap(parsed);
      const ended = late ? "by its time" : how === 0 ? "well" : String(how);
      settle({ ended, seconds: (performance.now() - started) / 1000, lines, errors: Buffer.concat(errors).toString().slice(-4000) });
    };
    child.once("error", (error) => end(error.message));
    child.once("close", (code, signal) => end(code ?? signal));
  });
}

/** A line that was cut off when its step was ended is none. */
function parsed(line) {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

/** Of what a step that failed has written, the line that says most. */
function why(errors) {
  const lines = errors.trim().split("\n");
  return lines.findLast((line) => /error:|panicked/i.test(line)) ?? lines.at(-1);
}

async function main() {
  const { small, seconds, out, steps, native, driver } = options();
  mkdirSync(out, { recursive: true });
  const program = steps.some(([half]) => half === "native") ? nativeProgram(native) : undefined;
  const env = await environmentOf(driver);
  const started = Date.now();
  const results = [];
  for (const [index, [half, step, weight]] of steps.entries()) {
    const left = seconds - (Date.now() - started) / 1000;
    const limit = (left * weight) / steps.slice(index).reduce((sum, [, , weight]) => sum + weight, 0);
    if (limit < 0.5) continue;
    const flags = small ? ["--small"] : [];
    const [command, args] = half === "native"
      ? [program, [step, ...flags, "--seconds", String(limit * BEFORE_ITS_END)]]
      : [process.execPath, [DAWN, step, ...flags]];
    const result = { half, step, limit, ...(await run(command, args, env, limit)) };
    results.push(result);
    const name = `${String(index).padStart(2, "0")}-${half}-${step}.json`;
    writeFileSync(join(out, name), `${JSON.stringify(result, null, 1)}\n`);
    console.log(`${half} ${step}: ${result.lines.length} lines in ${result.seconds.toFixed(1)} of ${limit.toFixed(1)} s, ended ${result.ended}`);
    if (!["well", "by its time"].includes(result.ended)) console.log(`  ${why(result.errors)}`);
  }
  const report = labReport(results);
  const machine = { processor: cpus()[0]?.model, cores: cpus().length, load: loadavg()[0], node: process.versions.node };
  writeFileSync(join(out, "lab.json"), `${JSON.stringify({ machine, small, seconds: (Date.now() - started) / 1000, results }, null, 1)}\n`);
  writeFileSync(join(out, "report.txt"), report);
  console.log(report);
}

await main();
