// The benchmark on WebGPU from its command line, of a small model on SwiftShader: that it says what it promises, in
// Chromium and under Node on Dawn.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { endless } from "./api-models.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "azulejo-bench-"));
  writeFileSync(join(folder, "endless.gguf"), endless());
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What it prints, and what it writes. */
function bench(runtime) {
  const [model, json] = [join(folder, "endless.gguf"), join(folder, `${runtime}.json`)];
  const what = ["--device", "webgpu", "--runtime", runtime, "--model", model, "--measures", "prefill 40,decode 3"];
  const args = [join(ROOT, "bench/bench.mjs"), ...what, "--rounds", "1", "--json", json];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", timeout: 300_000 });
  assert.equal(status, 0, `${stdout}${stderr}`);
  return { printed: stdout, written: JSON.parse(readFileSync(json, "utf8")) };
}

for (const runtime of ["browser", "node"]) {
  test(`tells of each step on WebGPU what it comes to: ${runtime}`, () => {
    const { printed, written: { profiles: [profile], matches: [match] } } = bench(runtime);
    assert.match(profile.description, /swiftshader/i);
    assert.equal(match.contestants[0].description, profile.description);
    assert(profile.ceilings.bytesPerSecond > 0 && profile.ceilings.operationsPerSecond > 0, JSON.stringify(profile.ceilings));
    const [plain, timed] = [match.contestants[0], profile].map(({ steps }) => steps["decode 3"]);
    assert.deepEqual([plain.steps, plain.submits, plain.passes, plain.readBytes], [3, 1, 1, 4]);
    assert.equal(timed.dispatches, plain.dispatches);
    assert(Object.values(timed.kernels).some(({ ms }) => ms > 0), JSON.stringify(timed.kernels));
    for (const label of Object.keys(timed.kernels)) assert(printed.includes(label), `${label} is not in\n${printed}`);
    assert.match(printed, new RegExp(`^dispatches ${plain.dispatches}, submits 1, passes 1, bytes read back 4, CPU ms to encode `, "m"));
  });
}
