// A process of Node in which a contestant runs on Dawn, npm's "webgpu". bench.mjs starts it and calls driver.js in it.

import { create, globals } from "webgpu";
import { commands } from "./driver.js";

Object.assign(globalThis, globals);
globalThis.navigator ??= {};
// Dawn rounds timestamps to 65 µs unless it is told not to.
Object.defineProperty(navigator, "gpu", { value: create(["disable-dawn-features=timestamp_quantization"]) });

process.on("message", async ([name, args]) => {
  try {
    process.send({ value: await commands[name](...args) });
  } catch (error) {
    process.send({ error: error.stack ?? String(error) });
  }
});
// Also in the midst of a measure, when bench.mjs has been ended.
process.on("disconnect", () => process.exit());
