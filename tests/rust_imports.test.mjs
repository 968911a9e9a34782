// Which of the core's files may import which: no files each other in a circle, and folders as `lib.rs` says.
//
// A file imports from its own submodules or they from it, not both: what they share lies in a file of its own.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { deadline } from "./support/deadline.mjs";
import { rustImports } from "./support/rust-imports.mjs";

deadline(1);

const src = new URL("../src/", import.meta.url);
const files = readdirSync(src, { recursive: true }).filter((file) => file.endsWith(".rs")).map((file) => file.replaceAll("\\", "/"));
const imports = rustImports(new Map(files.map((file) => [file, readFileSync(new URL(file, src), "utf8")])));

/** All that a file imports from, what that imports from, and so on. */
function reach(imports, file, seen = new Set()) {
  for (const next of imports.get(file).keys()) if (!seen.has(next)) reach(imports, next, seen.add(next));
  return seen;
}

/** Files that reach each other: a list for each circle, or tangle of circles. */
function circles(imports) {
  const reached = new Map([...imports.keys()].map((file) => [file, reach(imports, file)]));
  const around = (file) => [...reached.get(file)].filter((other) => reached.get(other).has(file)).sort();
  const found = [...imports.keys()].filter((file) => reached.get(file).has(file)).map(around);
  return [...new Map(found.map((circle) => [circle.join(), circle])).values()];
}

test("no files import each other in a circle", () => {
  const found = circles(imports);
  const line = (file, to) => `${file} → ${to} (${[...imports.get(file).get(to)].join(", ")})`;
  const within = (circle) => circle.flatMap((file) => circle.filter((to) => imports.get(file).has(to)).map((to) => line(file, to)));
  assert.equal(found.map((circle) => within(circle).join("\n")).join("\n\n"), "");
});

test("folders import from each other what lib.rs says they do", () => {
  const rows = readFileSync(new URL("lib.rs", src), "utf8").matchAll(/^\/\/! \| \[?`(\w+)`\]? \| ([^|]*) \|/gm);
  const said = [...rows].flatMap(([, from, row]) => [...row.matchAll(/`(\w+)`/g)].map(([, to]) => `${from} → ${to}`));
  const top = (file) => file.replace(/\.rs$|\/.*/g, "");
  const pairs = [...imports].flatMap(([file, tos]) => [...tos.keys()].filter((to) => to.includes("/")).map((to) => [top(file), top(to)]));
  const found = new Set(pairs.filter(([from, to]) => from !== to).map((pair) => pair.join(" → ")));
  assert.deepEqual(said.sort(), [...found].sort());
});

test("imports are seen however they are written", () => {
  const crate = (texts) => [...rustImports(new Map(Object.entries({ "lib.rs": "", "b/mod.rs": "pub struct B;", "c.rs": "pub fn c() {}", ...texts })))];
  const seen = (text) => {
    const found = new Map(crate({ "a/mod.rs": text, "a/d.rs": "pub fn d() {} pub const D: u32 = 1;" })).get("a/mod.rs");
    return [...found].map(([file, names]) => `${file}: ${[...names].join(" ")}`).sort().join(", ");
  };
  const cases = {
    "use crate::{b::B, c::{self, c as other}};": "b/mod.rs: B, c.rs: c",
    "use super::b::{\n    B, // why\n};": "b/mod.rs: B",
    "fn f(b: super::b::B) { crate::c::c(); d::d() }": "a/d.rs: d, b/mod.rs: B, c.rs: c",
    "use crate::c as see;\nfn f() { see::c() }": "c.rs: c",
    "mod d; pub use d::{D, d};": "",
    "mod d; pub use d::*; fn f() { d() }": "a/d.rs: d",
    "use serde::b::B; use std::fmt;\nfn f() { fmt::b() }": "",
    "/* crate::b::B */ fn f() { \"crate::b::B\"; r#\"crate::c::c \"\"#; '\"'; }": "",
    "fn f() { c::c() }\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n    fn g() {}\n}\nuse crate::c;": "c.rs: c",
    "pub use crate::b::B;": "",
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(seen(text), expected, text);
  const handedOn = crate({ "b/mod.rs": "mod e; pub use e::E;", "b/e.rs": "pub struct E(super::super::c::C);", "a.rs": "use crate::b::E as B;" });
  assert.deepEqual(handedOn.map(([file, tos]) => `${file}: ${[...tos.keys()]}`), ["lib.rs: ", "b/mod.rs: ", "c.rs: ", "b/e.rs: c.rs", "a.rs: b/e.rs"]);
  const around = new Map(crate({ "a.rs": "use crate::b::B;", "b/mod.rs": "use crate::c::c;", "c.rs": "use crate::a::A;" }));
  assert.deepEqual(circles(around), [["a.rs", "b/mod.rs", "c.rs"]]);
});
