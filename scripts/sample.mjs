// What `npm test` takes a sixth of, and another sixth at each commit; `npm run test:all` takes all.

import { execFileSync } from "node:child_process";
import { root } from "./run.mjs";

/** Everything at once: minutes more. */
export const ALL = Boolean(process.env.AZULEJO_ALL);

export const PARTS = 6;

/** Which part it is. A test that fails says it by its environment: AZULEJO_PART=2 node --test tests/x.test.mjs. */
export const PART = Number(process.env.AZULEJO_PART ?? ofCommit());

function ofCommit() {
  try {
    const commit = execFileSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return Number.parseInt(commit.slice(0, 8), 16) % PARTS;
  } catch {
    return 0; // not a clone
  }
}

/** What the tests that take a part are told. */
export const environment = { AZULEJO_PART: String(PART), ...(ALL && { AZULEJO_ALL: "1" }) };

/** Whether the case at this place of its list is tested this time. */
export const due = (at) => ALL || at % PARTS === PART;
