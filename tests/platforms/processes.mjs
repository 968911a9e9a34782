// Programs that run beside a test: servers and browsers.

import { spawn } from "node:child_process";

/** No server or browser is needed for longer: what waits for one hears of its end, and can clean up. */
const DEADLINE = 200_000;

/**
 * Starts a program in a process group of its own, which `stop` ends as a whole, and so does the deadline.
 * @param {{ cwd?: string, env?: Record<string, string> }} options
 */
export function start(program, args, { cwd, env = {} } = {}) {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  const listeners = new Set();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      printed += text.replace(/\x1b\[[0-9;]*m/g, ""); // without colours
      for (const listener of listeners) listener();
    });
  }
  const kill = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {} // it has ended
  };
  const timer = setTimeout(kill, DEADLINE);
  process.once("exit", kill);
  const ended = new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("exit", (code, signal) => resolve(signal ?? code));
  });
  ended.then(() => clearTimeout(timer));
  return {
    ended,
    printed: () => printed,
    /** The first match of `pattern` in what the program prints. */
    says(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(printed);
          if (match) resolve(match);
        };
        listeners.add(look);
        look();
        ended.then((how) => reject(new Error(`${program} ended (${how}) before it said ${pattern}:\n${printed}`)));
      });
    },
    async stop() {
      kill();
      process.off("exit", kill);
      await ended;
    },
  };
}
