// Which of the package's modules may import which: those of a side their own and what is shared, and none in a circle.
// Imports of types count: they are what a reader follows.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";
import { deadline } from "./support/deadline.mjs";

deadline(1);

const js = new URL("../js/", import.meta.url);
const files = readdirSync(js, { recursive: true }).filter((file) => file.endsWith(".ts")).map((file) => file.replaceAll("\\", "/"));
const imports = new Map(files.map((file) => {
  const found = readFileSync(new URL(file, js), "utf8").matchAll(/(?:from|import|import\()\s*"(\.[^"]+)\.js"/g);
  const modules = [...found].map(([, module]) => posix.join(posix.dirname(file), module));
  return [file, modules.map((module) => [`${module}.ts`, `${module}.d.ts`].find((each) => files.includes(each)) ?? module)];
}));

/** Its folder below js/, or for the entries and the core's declarations their own names. */
const side = (file) => (/^(page|host|shared|openai|ai-sdk|prompt-api|remote)\//.exec(file)?.[1] ?? file.replace(/^(simd|threads|relaxed|grammar)\/.*/, "core"));
const MAY = {
  // A model that does not fit here goes to a server.
  page: ["page", "shared", "assets.ts", "remote"],
  remote: ["remote", "page", "shared"],
  openai: ["openai", "page", "shared"],
  "ai-sdk": ["ai-sdk", "page", "shared"],
  "prompt-api": ["prompt-api", "page", "shared"],
  host: ["host", "shared", "core"],
  shared: ["shared"],
  core: ["core", "shared"],
};

test("a module imports what is on its own side or shared", () => {
  const wrong = [];
  for (const [file, modules] of imports)
    for (const module of modules) if (MAY[side(file)]?.includes(side(module)) === false) wrong.push(`${file} → ${module}`);
  assert.deepEqual(wrong, []);
});

test("no modules import each other in a circle", () => {
  const settled = new Set();
  const follow = (file, path) => {
    assert.ok(!path.includes(file), `${[...path.slice(path.indexOf(file)), file].join(" → ")}`);
    if (settled.has(file)) return;
    for (const module of imports.get(file)) follow(module, [...path, file]);
    settled.add(file);
  };
  for (const file of files) follow(file, []);
});

test("each import is of a file", () => {
  assert.deepEqual([...imports.values()].flat().filter((module) => !files.includes(module)), []);
});
