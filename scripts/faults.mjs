// Fault injection: npm run faults [-- --all | --only NAME]
//
// Everything that a load or a call leans on fails: each call to the store, each answer of the network, each message
// between page and worker, each growth of the memory, each call to the GPU, each thread; once, and some from there on. After each the
// same questions are asked (tests/faults/oracle.mjs).
// Without options a sample runs, the same each time; `--only` takes a name, or how names begin.

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { GROUPS } from "../tests/faults/groups.mjs";
import { chosenGroups } from "../tests/faults/sample.mjs";

const RUN = fileURLToPath(new URL("../tests/faults/run.mjs", import.meta.url));
const { values: options } = parseArgs({ options: { all: { type: "boolean" }, only: { type: "string" } } });

/** A point, or a group's beginning, that takes longer is never over: several deadlines, one after the other, are shorter. */
const LONGEST_MS = 1_200_000;

/** Runs a group in a process of its own: how many points, and which went wrong. */
function run(name) {
  const start = performance.now();
  let [count, ended, running] = [0, 0, undefined];
  const wrong = [];
  const fail = (point, wrongs) => {
    wrong.push(point);
    console.log(`WRONG ${point}\n${wrongs.map((each) => `  ${each}\n`).join("")}  alone: npm run faults -- --only ${point}`);
  };
  const child = fork(RUN, [name, JSON.stringify(options)], { execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] });
  let late;
  const watch = () => {
    clearTimeout(late);
    late = setTimeout(() => child.kill("SIGKILL"), LONGEST_MS);
  };
  watch();
  child.on("message", (message) => {
    watch();
    if (message.kind === "points") ({ count } = message);
    if (message.kind === "begins") running = message.name;
    if (message.kind !== "ends") return;
    ended++;
    running = undefined;
    if (message.wrongs.length > 0) fail(message.name, message.wrongs);
    if (ended % 100 === 0) console.log(`  ${name}: ${ended} of ${count}`);
  });
  return new Promise((resolve) => child.on("exit", (code, signal) => {
    clearTimeout(late);
    if (code !== 0 || ended < count) fail(running ?? name, [`the process ended with ${signal ?? code} at point ${ended + 1} of ${count}`]);
    console.log(`${name}: ${count} points, ${wrong.length} wrong, ${((performance.now() - start) / 1000).toFixed(0)} s`);
    resolve({ count, wrong });
  }));
}

/** One that computes on SwiftShader, and one besides: each keeps a core busy. */
const LANES = 2;

const waiting = chosenGroups(Object.keys(GROUPS), options);
const results = [];
async function lane() {
  while (waiting.length > 0) results.push(await run(waiting.shift()));
}
await Promise.all(Array.from({ length: LANES }, lane));
const [points, wrong] = [results.reduce((sum, { count }) => sum + count, 0), results.flatMap((result) => result.wrong)];
console.log(`${points} points, ${wrong.length} wrong`);
process.exitCode = wrong.length > 0 || points === 0 ? 1 : 0;
