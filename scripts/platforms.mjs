// npm run platforms
//
// Tries the package everywhere (tests/platforms-*.test.mjs), and writes what was seen into the table of docs/platforms.md.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeTable } from "../tests/platforms/table.mjs";
import { root } from "./run.mjs";

// The test of the table itself compares; it has its turn in `npm test`.
const tests = readdirSync(join(root, "tests")).filter((file) => /^platforms-(?!table)[a-z]+\.test\.mjs$/.test(file));
const folder = mkdtempSync(join(tmpdir(), "azulejo-platforms-"));
try {
  const { status } = spawnSync(process.execPath, ["--test", "--test-concurrency=1", ...tests.map((file) => join("tests", file))], {
    cwd: root, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, PLATFORMS_RECORD: folder, CI: "true" },
  });
  if (status === 0) writeTable(folder);
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
