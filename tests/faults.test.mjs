// Fault injection: a sample of its points, and that the stand-ins and the oracle are as strict as they should be. All
// points: npm run faults -- --all.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Clock } from "./faults/clock.mjs";
import { Injector } from "./faults/injector.mjs";
import { Locks } from "./faults/locks.mjs";
import { Opfs, throwAsBrowsersDo } from "./faults/opfs.mjs";
import { Oracle, settled } from "./faults/oracle.mjs";
import { ORIGIN, Server, text } from "./faults/server.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(10);

const SCRIPT = fileURLToPath(new URL("../scripts/faults.mjs", import.meta.url));
const never = new Promise(() => {});
const named = (name) => (error) => error.name === name;

test("whatever of a sample fails: right bytes or a named error, and the next load works", async () => {
  const child = spawn(process.execPath, [SCRIPT], { stdio: ["ignore", "pipe", "inherit"], timeout: 540_000 });
  let said = "";
  for await (const chunk of child.stdout) said += chunk;
  assert.match(said, /\n\d{3,} points, 0 wrong\n$/, said);
});

describe("the oracle", () => {
  class Known extends Error {
    constructor(code, message = "in some words") {
      super(message);
      this.code = code;
    }
  }
  const judged = (outcome, expected) => {
    const oracle = new Oracle(Known);
    oracle.judge("then", outcome, { right: ["a", "b"], ...expected });
    return oracle.wrongs;
  };

  test("takes a right answer and an error that may come", () => {
    assert.deepEqual(judged({ value: "b" }), []);
    assert.deepEqual(judged({ error: new Known("network") }, { codes: ["network"] }), []);
  });

  test("sees what does not settle", async () => {
    assert.match(judged(await settled(never, 1))[0], /not settled/);
    assert.deepEqual(await settled(Promise.resolve(7)), { value: 7 });
  });

  test("sees wrong answers, other errors, other codes and messages without words", () => {
    assert.match(judged({ value: "c" })[0], /wrong answer/);
    assert.match(judged({ error: new TypeError("x is not a function") }, { codes: ["internal"] })[0], /not an AzulejoError/);
    assert.match(judged({ error: new Known("internal") }, { codes: ["network"] })[0], /internal .* where network may come/);
    assert.match(judged({ error: new Known("network") })[0], /where no error may come/);
    assert.match(judged({ error: new Known("network", "undefined of undefined") }, { codes: ["network"] })[0], /says little/);
  });

  test("sees what is left behind, and gives it some turns to go", async () => {
    const oracle = new Oracle(Known);
    let turns = 0;
    await oracle.same("then", { locks: 0 }, async () => ({ locks: ++turns < 5 ? 1 : 0 }));
    assert.deepEqual(oracle.wrongs, []);
    await oracle.same("then", { locks: 0, jobs: 0 }, async () => ({ locks: 1, jobs: 0 }));
    assert.match(oracle.wrongs[0], /left behind: locks 0 → 1/);
  });
});

describe("the private file system that stands in", () => {
  async function folderOf(opfs) {
    return (await opfs.storage().getDirectory()).getDirectoryHandle("x", { create: true });
  }

  test("lets one at a time write in place, and nobody remove it meanwhile", async () => {
    const folder = await folderOf(new Opfs());
    const handle = await folder.getFileHandle("a", { create: true });
    const access = await handle.createSyncAccessHandle();
    await assert.rejects(handle.createSyncAccessHandle(), named("NoModificationAllowedError"));
    await assert.rejects(folder.removeEntry("a"), named("NoModificationAllowedError"));
    access.close();
    assert.throws(() => access.getSize(), named("InvalidStateError"));
    await folder.removeEntry("a");
    await assert.rejects(folder.getFileHandle("a"), named("NotFoundError"));
  });

  test("gives snapshots that a later write makes unreadable", async () => {
    const folder = await folderOf(new Opfs());
    const handle = await folder.getFileHandle("a", { create: true });
    const access = await handle.createSyncAccessHandle();
    access.write(text("one"), { at: 0 });
    const file = await handle.getFile();
    assert.equal(await file.slice(1).text(), "ne");
    access.write(text("two"), { at: 0 });
    await assert.rejects(file.text(), named("NotReadableError"));
    access.close();
  });

  test("shows what a stream wrote when that is closed, and has as much room as it has", async () => {
    const opfs = new Opfs({ sync: false });
    const handle = await (await folderOf(opfs)).getFileHandle("a", { create: true });
    assert.equal(handle.createSyncAccessHandle, undefined);
    const stream = await handle.createWritable();
    await stream.write(text("some"));
    assert.equal((await handle.getFile()).size, 0);
    await stream.close();
    assert.equal((await handle.getFile()).size, 4);
    opfs.quota = 4;
    await assert.rejects((await handle.createWritable({ keepExistingData: true })).write(text("more")), named("QuotaExceededError"));
    assert.equal(opfs.open, 0);
  });

  test("fails at the call it is told to, and counts", async () => {
    const opfs = new Opfs();
    const folder = await folderOf(opfs);
    opfs.injector.arm({ at: 2, fail: throwAsBrowsersDo });
    await folder.getFileHandle("a", { create: true });
    await assert.rejects(folder.getFileHandle("b", { create: true }), DOMException);
    await folder.getFileHandle("c", { create: true });
    assert.deepEqual([opfs.injector.hits, opfs.injector.log.length], [1, 3]);
  });
});

test("locks that stand in are shared or not, wait in order, and can be given up", async () => {
  const locks = new Locks(new Injector());
  const { request, query } = locks.manager();
  let release;
  const first = request("a", () => new Promise((resolve) => { release = resolve; }));
  const controller = new AbortController();
  const given = request("a", { signal: controller.signal }, () => assert.fail("it was given up"));
  const [second, third] = ["second", "third"].map((name) => request("a", { mode: "shared" }, () => name));
  assert.equal(await request("a", { ifAvailable: true }, (lock) => lock), null);
  controller.abort(new Error("enough"));
  await assert.rejects(given, /enough/);
  const { held, pending } = await query();
  assert.deepEqual([held.length, pending.length], [1, 2]);
  release("first");
  assert.deepEqual(await Promise.all([first, second, third]), ["first", "second", "third"]);
  assert.equal(locks.count, 0);
});

test("the server that stands in gives ranges, breaks where it is told, and knows who still reads", async () => {
  const server = new Server();
  server.reset({ "a/b": { bytes: text("0123456789"), etag: '"1"' } });
  const part = await server.fetch(`${ORIGIN}a/b`, { headers: { range: "bytes=4-5" } });
  assert.deepEqual([part.status, part.headers.get("content-range"), await part.text()], [206, "bytes 4-5/10", "45"]);
  assert.equal((await server.fetch(`${ORIGIN}a/c`, { method: "HEAD" })).status, 404);
  server.breakAt = server.sent + 3;
  await assert.rejects((await server.fetch(`${ORIGIN}a/b`)).text(), TypeError);
  const whole = await server.fetch(`${ORIGIN}a/b`);
  assert.notEqual(server.open, 0);
  await whole.body.cancel();
});

test("minutes pass at once where nothing else happens, in their order", async () => {
  const clock = new Clock();
  clock.install();
  try {
    const heard = [];
    await Promise.all([90_000, 30_000, 60_000].map((ms) => new Promise((resolve) => setTimeout(() => resolve(heard.push(ms)), ms))));
    assert.deepEqual(heard, [30_000, 60_000, 90_000]);
    assert(AbortSignal.timeout(1000).aborted === false && clock.waiting === 1);
  } finally {
    clock.uninstall();
  }
});
