// What `npm test` is made of: stages that wait for others, two at a time, and files each of which is counted.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "../scripts/run.mjs";
import { runStages } from "../scripts/stages.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

let folder;
before(() => { folder = mkdtempSync(join(tmpdir(), "azulejo-stages-")); });
after(() => rmSync(folder, { recursive: true, force: true }));

/** A stage that notes its beginning and its end; it waits for the beginning of another, if it is told to. */
function stage(name, { status = 0, meets, ...rest } = {}) {
  const code = `const { appendFileSync, readFileSync } = require("fs");
    const note = (what) => appendFileSync(process.env.NOTES, what + "\\n");
    note("${name} begins");
    const there = () => ${JSON.stringify(meets)} === undefined || readFileSync(process.env.NOTES, "utf8").includes("${meets} begins");
    const look = () => there() ? (note("${name} ends"), process.exit(${status})) : setTimeout(look, 5);
    look();`;
  return { name, command: [process.execPath, "-e", code], ...rest };
}

async function run(name, stages) {
  const notes = join(folder, name);
  writeFileSync(notes, "");
  const results = await runStages(stages, { ...process.env, NOTES: notes });
  return { results, notes: readFileSync(notes, "utf8").trim().split("\n") };
}

test("a stage runs after those that it needs, beside those that it does not, and not at all where one failed", async () => {
  const { results, notes } = await run("order", [
    stage("a", { meets: "b" }), stage("b", { meets: "a", status: 3 }), stage("c", { after: ["a"] }),
    stage("d", { after: ["b"] }), stage("e", { after: ["d"] }),
  ]);
  assert.deepEqual(results.map(({ name, status }) => [name, status]).sort(), [["a", 0], ["b", 3], ["c", 0]]);
  assert(notes.indexOf("c begins") > notes.indexOf("a ends"), notes.join());
});

test("two run at a time, those that wait for the network besides, and one that wants all alone", async () => {
  const stages = [
    stage("a", { meets: "b" }), stage("b", { meets: "n" }), stage("c"), stage("n", { waits: true, meets: "a" }), stage("all", { alone: true }),
  ];
  const { notes } = await run("lanes", stages);
  const running = new Set();
  for (const [name, what] of notes.map((note) => note.split(" "))) {
    if (what === "begins") running.add(name);
    const busy = [...running].filter((each) => each !== "n");
    assert(busy.length <= 2 && (!running.has("all") || running.size === 1), notes.join());
    if (what === "ends") running.delete(name);
  }
});

test("each file's tests are counted, and a file that does not come to its end is a test that failed", () => {
  const file = (name, text) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const good = file("good.test.mjs", `import { test } from "node:test"; test("a", () => {}); test("b", (t) => t.skip());`);
  const bad = file("bad.test.mjs", `import { test } from "node:test"; test("c", () => { throw new Error("wrong"); });`);
  const gone = file("gone.test.mjs", `import { test } from "node:test"; test("d", () => process.exit(0));`);
  const hangs = file("hangs.test.mjs", `import { test } from "node:test"; import { deadline } from ${JSON.stringify(join(root, "tests/support/deadline.mjs"))};
    deadline(0.01); test("never ends", () => new Promise((resolve) => setTimeout(resolve, 1e6)));`);
  const { stdout, status } = spawnSync(process.execPath, [join(root, "scripts/test-files.mjs"), good, bad, gone, hangs], { encoding: "utf8", timeout: 120_000 });
  assert.equal(status, 1);
  assert.match(stdout, /\n# tests 5\n.*# pass 1\n# fail 3\n/s);
  assert.match(stdout, /# skipped 1\n/);
  assert.match(stdout, /wrong/);
  assert.match(stdout, /not at its end after 0\.01 minutes: in or after "never ends"/);
});
