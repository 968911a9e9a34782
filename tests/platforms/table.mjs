// The table of docs/platforms.md: one line for each place, as the tests saw it.
//
// `npm run platforms` runs the tests with $PLATFORMS_RECORD set to a folder, where each leaves its lines, and writes them
// into the document. Without it the tests compare: what they see has to be what the document says.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/run.mjs";
import { ROWS } from "./matrix.mjs";

const DOCUMENT = join(root, "docs", "platforms.md");
const BEGIN = "<!-- npm run platforms writes this table -->\n";
const END = "<!-- its end -->";
const COLUMNS = { build: "build", dev: "dev", isolated: "isolated or not", threads: "threads", webgpu: "WebGPU" };
const HEAD = `| Where | version | ${Object.values(COLUMNS).join(" | ")} | where not, why |\n|---|---|${"---|".repeat(Object.keys(COLUMNS).length)}---|`;

/** A line of the table; `seen` says by column whether it works, and nothing where there is no such thing. */
function line({ place, cannot = {} }, version, seen) {
  const cells = Object.keys(COLUMNS).map((column) => (seen[column] === undefined ? "–" : seen[column] ? "yes" : "no"));
  const why = Object.entries(cannot).map(([column, reason]) => `${COLUMNS[column]}: ${reason}`);
  return `| ${[place, version, ...cells, why.join("; ")].join(" | ")} |`;
}

/** The document before the table, the table's lines, and the document after it. */
function parts() {
  const text = readFileSync(DOCUMENT, "utf8");
  const [begin, end] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  return { before: text.slice(0, begin), lines: text.slice(begin, end).trim().split("\n").slice(2), after: text.slice(end) };
}

/** What each line of the document is about: its place, and its version. */
export const documented = () => parts().lines.map((each) => each.split("|").slice(1, 3).map((cell) => cell.trim()));

const fileOf = ({ place, version }) => `${place} ${version ?? ""}`.replaceAll(/\W/g, "_");

/**
 * Asserts that all works but what `row.cannot` names, and that the document says so; or records it for the document.
 * @param row of the matrix. Without a version it is the machine's own: a newer one that can more is no mistake
 * @param {string} version
 * @param {Record<string, boolean | undefined>} seen by column: whether it works; undefined where there is no such thing
 */
export function report(row, version, seen) {
  for (const [column, works] of Object.entries(seen)) {
    const expected = !(column in (row.cannot ?? {}));
    assert.ok(works !== false || !expected, `${row.place}: ${COLUMNS[column]} should work, and does not`);
    assert.ok(works !== true || expected || row.version === undefined, `${row.place}: ${COLUMNS[column]} works, which the matrix does not know`);
  }
  const text = line(row, version, seen);
  const folder = process.env.PLATFORMS_RECORD;
  if (folder) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, fileOf(row)), text);
  } else if (row.version !== undefined) {
    assert.ok(parts().lines.includes(text), `docs/platforms.md lacks this line; npm run platforms writes it:\n${text}`);
  }
}

/** Writes what the tests have recorded in `folder` into the document. */
export function writeTable(folder) {
  const { before, after } = parts();
  const lines = ROWS.map((row) => readFileSync(join(folder, fileOf(row)), "utf8"));
  writeFileSync(DOCUMENT, `${before}${[HEAD, ...lines].join("\n")}\n${after}`);
}
