// Runs the commands that scripts are made of.

import { spawnSync } from "node:child_process";
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
  if (status === 0) return;
  const name = [program, ...args.slice(0, 2)].join(" ");
  console.error(`${name} … failed: ${error?.message ?? (signal ? `ended by ${signal}` : `exit code ${status}`)}`);
  process.exit(status || 1);
}
