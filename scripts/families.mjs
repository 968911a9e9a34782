// Writes the table of families of docs/families.md, from what the files of src/model/families say of themselves.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./run.mjs";

const FOLDER = join(root, "src", "model", "families");
const PAGE = join(root, "docs", "families.md");
const BEGIN = "<!-- scripts/families.mjs writes this table -->";
const END = "<!-- its end -->";

/** What the head comment of a family's file says: `Name: what it is.`, an empty line, `Paper: <address>… Checkpoints: `a`, ….` */
function about(module) {
  const lines = readFileSync(join(FOLDER, `${module}.rs`), "utf8").split("\n");
  const head = lines.slice(0, lines.findIndex((line) => !line.startsWith("//!"))).map((line) => line.slice(4));
  const [what, sources] = head.join("\n").split("\n\n").map((paragraph) => paragraph.replaceAll("\n", " "));
  const [, name, text] = /^(.+?): (.+)\.$/.exec(what) ?? [];
  const paper = /<(https:[^>]+)>/.exec(sources ?? "")?.[1];
  const checkpoints = /Checkpoints?[^:]*: (.+)$/.exec(sources ?? "")?.[1].match(/`[^`\s]+\/[^`\s]+`/g);
  if (!text || !paper || !checkpoints) throw new Error(`${module}.rs: not "Name: what it is.", a paper, and checkpoints`);
  return { name, text, paper, checkpoints };
}

/** The families in the order in which they are registered, with config.json's words for each. */
function families() {
  const registered = readFileSync(join(FOLDER, "registry.rs"), "utf8").matchAll(/(?:family|pair)\(\s*"([^"]+)",\s*(\w+)::/g);
  const types = new Map();
  for (const [, type, module] of registered) types.set(module, [...(types.get(module) ?? []), type]);
  return [...types].map(([module, types]) => ({ types, ...about(module) }));
}

function table() {
  const row = ({ name, paper, types, text, checkpoints }) =>
    `| [${name}](${paper}) | ${types.map((type) => `\`${type}\``).join(", ")} | ${text} | ${checkpoints.join(", ")} |`;
  const head = ["| Family | `model_type` | What it is | Checkpoints, among others |", "|---|---|---|---|"];
  return [BEGIN, "", ...head, ...families().map(row), "", END].join("\n");
}

/** The page as it should be. */
export function renewed(page) {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/families.md lacks ${BEGIN} or ${END}`);
  return page.slice(0, begin) + table() + page.slice(end + END.length);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(PAGE, renewed(readFileSync(PAGE, "utf8")));
}
