// Runs the commands that scripts are made of.

import { spawn, spawnSync } from "node:child_process";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * Runs a command to its end, in the repository, with its output shown. If it fails this process ends, too: the command
 * has said why, and a stack trace would only hide that.
 */
export function run(program, args, env = {}) {
  const { status, signal, error } = spawnSync(program, args, {
    cwd: root, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...env },
  });
  if (status !== 0) giveUp(program, args, { status, signal, error });
}

const beside = new Set();

/** The same, while other commands run beside it: if one fails, they end with this process. */
export async function runBeside(program, args, env = {}) {
  const child = spawn(program, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...env } });
  beside.add(child);
  const end = await new Promise((resolve) => {
    child.on("error", (error) => resolve({ error }));
    child.on("exit", (status, signal) => resolve({ status, signal }));
  });
  beside.delete(child);
  if (end.status === 0) return;
  for (const other of beside) other.kill();
  giveUp(program, args, end);
}

function giveUp(program, args, { status, signal, error }) {
  const name = [program, ...args.slice(0, 2)].join(" ");
  console.error(`${name} … failed: ${error?.message ?? (signal ? `ended by ${signal}` : `exit code ${status}`)}`);
  process.exit(status || 1);
}
