// The package as npm packs it, and commands that use it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../scripts/run.mjs";

/** npm asks nobody about what it installs, and is quiet. */
export const QUIET = ["--no-audit", "--no-fund", "--loglevel=error"];

/** Runs a command to its end and gives what it printed; a failure shows all of that. */
export function run(cwd, program, ...args) {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: "utf8", timeout: 600_000 });
  assert.equal(status, 0, `${program} ${args.join(" ")} ended with ${error ?? signal ?? status}:\n${stdout}${stderr}`);
  return stdout;
}

/**
 * Packs the package as it was built; without its scripts, since the build was made before the tests.
 * @returns what npm says of it, where the archive lies, and `remove`, which takes it away again
 */
export function pack() {
  const folder = mkdtempSync(join(tmpdir(), "azulejo-package-"));
  const [packed] = JSON.parse(run(root, "npm", "pack", "--json", "--ignore-scripts", "--pack-destination", folder));
  return { folder, packed, tarball: join(folder, packed.filename), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Puts the packed package where npm would: PROJECT/node_modules/azulejo. */
export function unpack(tarball, project) {
  const place = join(project, "node_modules", "azulejo");
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  run(project, "tar", "-xzf", tarball, "-C", place, "--strip-components=1");
}
