// Runs the stages of `npm test`: commands that may need others' ends, two at a time.

import { spawn } from "node:child_process";
import { root } from "./run.mjs";

/**
 * @typedef {object} Stage
 * @property {string} name
 * @property {string[]} command
 * @property {string[]} [after] names of the stages that must have passed before; where one has not, this one is left out
 * @property {boolean} [waits] mostly for the network: runs beside any others
 * @property {boolean} [alone] wants both cores, and its output as it comes
 */

/** So many cores does the machine of CI have. */
const AT_ONCE = 2;

const seconds = (start) => ((performance.now() - start) / 1000).toFixed(1);

/** Runs a command to its end; what it says comes at once, or, where others speak too, when it has ended. */
function runCommand({ name, command: [program, ...args], alone }, env) {
  const start = performance.now();
  console.log(`\n── ${name}: begins`);
  const child = spawn(program, args, { cwd: root, stdio: ["ignore", ...(alone ? ["inherit", "inherit"] : ["pipe", "pipe"])], env });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (piece) => said.push(piece));
  return new Promise((resolve) => {
    let error;
    child.on("error", (cause) => { error = cause; });
    child.on("close", (status) => {
      process.stdout.write(Buffer.concat(said));
      if (error) console.error(error.message);
      const result = { name, status: error ? 1 : status ?? 1, seconds: seconds(start) };
      console.log(`── ${name}: ${result.status === 0 ? "passed" : "FAILED"} in ${result.seconds} s`);
      resolve(result);
    });
  });
}

/**
 * Runs all stages, in their order as far as what they need allows.
 * @param {Stage[]} stages
 * @param {Record<string, string | undefined>} env
 * @returns {Promise<{ name: string, status: number, seconds: string }[]>} of each that ran
 */
export async function runStages(stages, env) {
  const [waiting, running, results] = [new Set(stages), new Map(), []];
  const passed = (name) => results.some((result) => result.name === name && result.status === 0);
  const failed = (name) => !passed(name) && ![...waiting, ...running.keys()].some((stage) => stage.name === name);
  const mayRun = ({ after = [], waits, alone }) => {
    const busy = [...running.keys()].filter((stage) => !stage.waits);
    if (alone) return running.size === 0 && after.every(passed);
    return after.every(passed) && (waits || (busy.length < AT_ONCE && !busy.some((stage) => stage.alone)));
  };
  for (;;) {
    for (const stage of waiting) {
      if (stage.after?.some(failed)) waiting.delete(stage);
      else if (mayRun(stage)) {
        waiting.delete(stage);
        running.set(stage, runCommand(stage, env).then((result) => {
          running.delete(stage);
          results.push(result);
        }));
      }
    }
    if (running.size === 0) return results;
    await Promise.race(running.values());
  }
}

/** What became of the stages, a line each. */
export function summary(results) {
  const width = Math.max(...results.map(({ name }) => name.length));
  return results.map(({ name, status, seconds }) => `  ${name.padEnd(width)}  ${status === 0 ? "passed" : "FAILED"}  ${seconds.padStart(6)} s`).join("\n");
}
