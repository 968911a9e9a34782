// Where the package thinks that it runs, and how it lets others have a turn there.

import assert from "node:assert/strict";
import { after, afterEach, mock, test } from "node:test";
import { isNode, nextTurn } from "../target/js/shared/platform.js";
import { deadline } from "./support/deadline.mjs";

deadline(5);

// Under Node an open channel keeps the process.
const { MessageChannel } = globalThis;
globalThis.MessageChannel = class extends MessageChannel {
  constructor() {
    super();
    after(() => this.port1.close());
  }
};

afterEach(() => {
  delete process.type;
  mock.restoreAll();
});

test("Node is Node, and so is Electron's own process", () => {
  assert.equal(isNode(), true);
  process.type = "browser";
  assert.equal(isNode(), true);
  process.type = "utility";
  assert.equal(isNode(), true);
});

for (const type of ["renderer", "worker", "service-worker"]) {
  test(`Electron's ${type} is a browser's, also where it may use Node's modules`, () => {
    process.type = type;
    assert.equal(isNode(), false);
  });
}

test("in a browser's worker a turn is a message, and a timer every 20 ms: Firefox lets nobody in between messages", async () => {
  process.type = "worker";
  let now = 1_000_000;
  mock.method(performance, "now", () => now);
  const timers = mock.method(globalThis, "setTimeout");
  const timersAfter = async (milliseconds) => {
    now += milliseconds;
    await nextTurn();
    return timers.mock.callCount();
  };
  assert.equal(await timersAfter(0), 1);
  assert.equal(await timersAfter(10), 1);
  assert.equal(await timersAfter(10), 1);
  assert.equal(await timersAfter(1), 2);
  assert.equal(await timersAfter(1), 2);
});

test("on a page a turn is never a timer, which may take a second in the background", async () => {
  process.type = "worker";
  globalThis.document = {};
  try {
    const timers = mock.method(globalThis, "setTimeout");
    mock.method(performance, "now", () => 2_000_000);
    await nextTurn();
    assert.equal(timers.mock.callCount(), 0);
  } finally {
    delete globalThis.document;
  }
});
