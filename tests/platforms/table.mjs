// The table of docs/platforms.md: one line for each place, as the tests saw it.
//
// `npm run platforms` runs the tests with $PLATFORMS_RECORD set to a folder, where each leaves its lines, and writes them into
// the file. Without it the tests compare: what they see has to be what the file says.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/run.mjs";

export const DOCUMENT = join(root, "docs", "platforms.md");
export const BEGIN = "<!-- npm run platforms writes this table -->";
export const END = "<!-- its end -->";
export const COLUMNS = { build: "build", dev: "dev", isolated: "isolated or not", threads: "threads", webgpu: "WebGPU" };
export const HEAD = `| Where | version | ${Object.values(COLUMNS).join(" | ")} | where not, why |\n|---|---|${Object.keys(COLUMNS).map(() => "---|").join("")}---|`;

/**
 * A line of the table.
 * @param {string} place
 * @param {string} version
 * @param {Record<string, boolean | undefined>} seen by column: whether it works; undefined where there is no such thing
 * @param {Record<string, string>} cannot by column: why it does not
 */
export function line(place, version, seen, cannot) {
  const cells = Object.keys(COLUMNS).map((column) => (seen[column] === undefined ? "–" : seen[column] ? "yes" : "no"));
  const why = Object.entries(cannot).map(([column, reason]) => `${COLUMNS[column]}: ${reason}`);
  return `| ${[place, version, ...cells, why.join("; ")].join(" | ")} |`;
}

/** The lines between the two marks. */
export function documented() {
  const text = readFileSync(DOCUMENT, "utf8");
  return text.slice(text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)).trim().split("\n").slice(2);
}

const withoutVersion = (text) => text.split("|").toSpliced(2, 1).join("|");

/**
 * Asserts that exactly what `cannot` names does not work, and that the document says so; or records it for the document.
 * `row.floating`: the version is the machine's, so another one than the document's is no mistake.
 */
export function report(row, version, seen) {
  const cannot = row.cannot ?? {};
  for (const [column, works] of Object.entries(seen)) {
    if (works !== undefined) assert.equal(works, !(column in cannot), `${row.place}: ${COLUMNS[column]}`);
  }
  const text = line(row.place, version, seen, cannot);
  const folder = process.env.PLATFORMS_RECORD;
  if (folder) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${`${row.place} ${row.floating ? "" : version}`.replaceAll(/\W/g, "_")}.txt`), text);
    return;
  }
  const same = row.floating ? (each) => withoutVersion(each) === withoutVersion(text) : (each) => each === text;
  assert.ok(documented().some(same), `docs/platforms.md lacks this line; npm run platforms writes it:\n${text}`);
}
