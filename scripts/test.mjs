// npm test: sets the machine up, builds, and runs every check and test. Fails if any of them did.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { MODEL } from "./fetch-model.mjs";
import { root } from "./run.mjs";

const node = process.execPath;
const script = (name) => [node, join("scripts", name)];

/** The rest is pointless without these. */
const PREPARATION = {
  "set-up": ["bash", join("scripts", "setup.sh"), "--tests"],
  "build, with tsc's strict checks": script("build.mjs"),
  "default checkpoint": script("fetch-model.mjs"),
  "all-MiniLM-L6-v2": script("fetch-minilm.mjs"),
};

const CHECKS = {
  "size of the wasm builds": script("sizes.mjs"),
  "cargo fmt": ["cargo", "fmt", "--check"],
  "clippy, native code": ["cargo", "clippy", "--locked", "--all-targets", "--", "-D", "warnings"],
  "clippy, wasm code": script("clippy-wasm.mjs"),
  "cargo test": script("cargo-test.mjs"),
};

const results = [];

/** Runs one stage; whether it passed. */
function stage(name, [program, ...args]) {
  console.log(`\n── ${name}`);
  const start = performance.now();
  const { status, error } = spawnSync(program, args, {
    cwd: root, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, AZULEJO_MODEL: MODEL },
  });
  if (error) console.error(error.message);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`── ${name}: ${status === 0 ? "passed" : "FAILED"} in ${seconds} s`);
  results.push({ name, status: status ?? 1, seconds });
  return status === 0;
}

function summary() {
  const width = Math.max(...results.map(({ name }) => name.length));
  return results.map(({ name, status, seconds }) => `  ${name.padEnd(width)}  ${status === 0 ? "passed" : "FAILED"}  ${seconds.padStart(6)} s`).join("\n");
}

function finish() {
  process.exit(Math.max(...results.map(({ status }) => status)));
}

for (const [name, command] of Object.entries(PREPARATION)) if (!stage(name, command)) finish();
for (const [name, command] of Object.entries(CHECKS)) stage(name, command);
console.log(`\nSo far:\n${summary()}`);

// Last, so that its count of tests ends the output. One file at a time: each may want both cores.
const tests = readdirSync(join(root, "tests")).filter((file) => file.endsWith(".test.mjs")).sort().map((file) => join("tests", file));
stage("tests in Chromium and Node", [node, "--test", "--test-concurrency=1", ...tests]);
const failed = results.filter(({ status }) => status !== 0);
if (failed.length > 0) console.error(`failed: ${failed.map(({ name }) => name).join(", ")}`);
finish();
