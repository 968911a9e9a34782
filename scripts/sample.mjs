// What `npm test` takes a third of, and another third at each commit; `npm run test:all` takes all.

import { execFileSync } from "node:child_process";
import { root } from "./run.mjs";

/** Everything at once: minutes more. */
export const ALL = Boolean(process.env.AZULEJO_ALL);

/** Which third it is. A test that fails says it by its environment: AZULEJO_THIRD=2 node --test tests/x.test.mjs. */
export const THIRD = Number(process.env.AZULEJO_THIRD ?? ofCommit());

function ofCommit() {
  try {
    const commit = execFileSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return Number.parseInt(commit.slice(0, 8), 16) % 3;
  } catch {
    return 0; // not a clone
  }
}

/** What the tests that take a part are told. */
export const environment = { AZULEJO_THIRD: String(THIRD), ...(ALL && { AZULEJO_ALL: "1" }) };

/** Whether the case at this place of its list is tested this time. */
export const due = (at) => ALL || at % 3 === THIRD;
