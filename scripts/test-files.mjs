// The tests in Chromium and Node: each file in a process of its own.
//
//     node scripts/test-files.mjs [FILES]       without any: all of tests/
//
// AZULEJO_SHUFFLE=SEED: in another order for each seed, since none may need what another one left.
//
// The last lines are the count of all tests, as `node --test` ends with it.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { root } from "./run.mjs";

/** The longest come first, so that none of them is left over at the end. */
const LONGEST = ["webgpu", "webgpu-grids", "platforms-apps", "shaders", "reference", "fashion-mnist", "page-search", "webgpu-steps", "webgpu-errors", "bench", "page", "page-gpu", "faults"]
  .map((name) => join("tests", `${name}.test.mjs`));

/** So many cores does the machine of CI have. Every test has to stand a busy machine anyway. */
const AT_ONCE = 2;

/** For what not even a file's own deadline ends (tests/support/deadline.mjs): something that never gives the thread back. */
const MOST_MS = 30 * 60_000;

const COUNTS = ["tests", "pass", "fail", "cancelled", "skipped", "todo"];

/** The test files below a folder. */
function filesBelow(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : filesBelow(path);
    return entry.name.endsWith(".test.mjs") ? [path] : [];
  });
}

/** Runs a file, and says all that it said once it has ended. */
function runFile(file) {
  const start = performance.now();
  // Under `node --test` a file would report to that.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, AZULEJO_CACHE: kept };
  const child = spawn(process.execPath, ["--test-reporter=spec", file], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"], timeout: MOST_MS });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => said.push(piece));
  return new Promise((resolve) => child.on("close", (status) => {
    const text = Buffer.concat(said).toString();
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const count = Object.fromEntries(COUNTS.map((name) => [name, Number(new RegExp(`^ℹ ${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0)]));
    // One that ended before it had counted, or without any test, is itself a test that failed.
    const failed = status !== 0 || count.tests === 0;
    if (failed && count.fail + count.cancelled === 0) { count.tests++; count.fail++; }
    console.log(`\n── ${file}\n${text.trimEnd()}\n── ${file}: ${failed ? "FAILED" : "passed"} in ${seconds} s`);
    resolve({ file, failed, seconds, count });
  }));
}

async function runFiles(files) {
  const [queue, results] = [[...files], []];
  const lane = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) results.push(await runFile(file));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
}

/** What tests under Node download and keep: nothing of the user's, and gone afterwards. */
const kept = mkdtempSync(join(tmpdir(), "azulejo-kept-"));
const given = process.argv.slice(2).map((path) => relative(root, path));
const files = given.length ? given : filesBelow("tests").sort();
const seed = process.env.AZULEJO_SHUFFLE;
const start = performance.now();
/** A file's place in the order, or what stands for it in a shuffled one. */
const place = (file) => {
  if (seed) return createHash("sha256").update(`${seed} ${file}`).digest().readUInt32BE();
  return LONGEST.includes(file) ? LONGEST.indexOf(file) : LONGEST.length;
};
if (seed) console.log(`in the order of AZULEJO_SHUFFLE=${seed}`);
const results = await runFiles(files.toSorted((a, b) => place(a) - place(b)));

console.log("\nSeconds of each file:");
for (const { file, failed, seconds } of results.sort((a, b) => b.seconds - a.seconds)) console.log(`  ${seconds.padStart(6)}  ${file}${failed ? "  FAILED" : ""}`);
for (const name of COUNTS) console.log(`# ${name} ${results.reduce((sum, { count }) => sum + count[name], 0)}`);
console.log(`# duration_ms ${performance.now() - start}`);
rmSync(kept, { recursive: true, force: true });
process.exit(results.some(({ failed }) => failed) ? 1 : 0);
