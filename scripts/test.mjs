// npm test: sets the machine up, builds, and runs every check and test. Fails if any of them did. Of what takes long, a
// sixth of the cases, another sixth at each commit (scripts/sample.mjs).
//
// npm run test:all: all of it.

import { join } from "node:path";
import { ALL, environment, PART, PARTS } from "./sample.mjs";
import { runStages, summary } from "./stages.mjs";

const node = (name, ...args) => [process.execPath, join("scripts", name), ...args];

/** Without these the rest is pointless. */
const [SETUP, BUILD, MODEL, MINILM] = ["set-up", "build, with tsc's strict checks", "default checkpoint", "all-MiniLM-L6-v2"];

/** In this order, as far as two at a time can. The builds of wasm link on one core for most of their time. */
const stages = [
  { name: SETUP, command: ["bash", join("scripts", "setup.sh"), "--tests"] },
  { name: MODEL, command: node("fetch-model.mjs"), waits: true },
  { name: MINILM, command: node("fetch-minilm.mjs"), waits: true },
  { name: "what single tests fetch", command: node("fetch-for-tests.mjs"), waits: true },
  { name: BUILD, command: node("build.mjs"), after: [SETUP] },
  { name: "cargo fmt", command: ["cargo", "fmt", "--all", "--check"], after: [SETUP] },
  { name: "cargo test", command: node("cargo-test.mjs", "--tests"), after: [SETUP, MODEL, MINILM] },
  { name: "size of the wasm builds", command: node("sizes.mjs"), after: [BUILD] },
  { name: "clippy, wasm code", command: node("clippy-wasm.mjs"), after: [BUILD] },
  { name: "clippy, native code", command: ["cargo", "clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"], after: [SETUP] },
];
const prepared = [SETUP, BUILD, MODEL, MINILM];
// Last, so that its count of tests ends the output.
const tests = { name: "tests in Chromium and Node", command: node("test-files.mjs"), after: [], alone: true };

console.log(ALL ? "everything" : `of what is sampled, part ${PART} of 0 to ${PARTS - 1} (scripts/sample.mjs)`);
const env = { ...process.env, ...environment };
const results = await runStages(stages, env);
console.log(`\nSo far:\n${summary(results)}`);
if (prepared.every((name) => results.some((result) => result.name === name && result.status === 0))) {
  results.push(...await runStages([tests], env));
}
const failed = results.filter(({ status }) => status !== 0);
if (failed.length > 0) console.error(`failed: ${failed.map(({ name }) => name).join(", ")}`);
process.exit(Math.max(...results.map(({ status }) => status)));
