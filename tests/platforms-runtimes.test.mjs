// The package in Node, Bun and Deno: the examples answer, on all cores, and the process ends although nothing was
// disposed of.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { vulkanEnvironment } from "../scripts/chromium.mjs";
import { makeApp } from "./platforms/apps.mjs";
import { RUNTIMES } from "./platforms/matrix.mjs";
import { answer, writeModel } from "./platforms/model.mjs";
import { findRuntime } from "./platforms/runtimes.mjs";
import { report } from "./platforms/table.mjs";
import { deadline } from "./support/deadline.mjs";
import { pack } from "./support/package.mjs";

deadline(15);

/** Much longer than it takes: what is still there then does not end. */
const DEADLINE = 120_000;

describe("without a browser the model answers", () => {
  let packed, model, expected;
  before(async () => {
    packed = pack();
    model = join(writeModel(packed.folder), "tiny.gguf");
    expected = await answer();
  });
  after(() => packed?.remove());

  /** Runs a program to its end. Its GPU is SwiftShader: with Mesa's driver in software Deno crashes at its end. */
  function runIn(cwd, program, args) {
    return spawnSync(program, args, { cwd, encoding: "utf8", timeout: DEADLINE, killSignal: "SIGKILL", env: { ...process.env, ...vulkanEnvironment() } });
  }

  /** What the example says, and the device that it names. */
  function ask(t, program, args, cwd) {
    const { status, signal, stdout, stderr } = runIn(cwd, program, [...args, "main.js", model]);
    assert.equal(stdout, expected, stderr);
    // Deno crashes at its end, now and then, where it has looked for a GPU.
    if (program.includes("deno") && signal === "SIGSEGV") t.diagnostic("it crashed at its end");
    else assert.deepEqual([status, signal], [0, null], stderr);
    return JSON.parse(stderr.trim().split("\n").at(-1));
  }

  /** Whether WebGPU is to be had. */
  function hasWebGpu(program, args, cwd) {
    const code = 'import { Engine } from "azulejo"; console.log((await Engine.create({ device: "webgpu" })).device.kind);';
    return runIn(cwd, program, [...args, code]).stdout.trim() === "webgpu";
  }

  for (const row of RUNTIMES) {
    test(`${row.place} ${row.version}`, { timeout: 300_000 }, (t) => {
      const program = findRuntime(row.example, row.version);
      const app = makeApp(packed.tarball, row.example);
      const device = ask(t, program, row.run, app);
      assert.equal(device.kind, "cpu");
      report(row, row.version, { threads: device.features.includes("threads"), webgpu: hasWebGpu(program, row.evaluate, app) });
    });
  }
});
