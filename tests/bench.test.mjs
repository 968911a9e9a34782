// The benchmark from its command line. On WebGPU, of a small model on SwiftShader: that it says what it promises, in
// Chromium and under Node on Dawn. Of images and of texts, on the CPU.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { packageFolder } from "../bench/install.mjs";
import { writeCheckpoint } from "../bench/vit/checkpoint.mjs";
import { endless } from "./api-models.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(10);

const ROOT = fileURLToPath(new URL("..", import.meta.url));

let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "azulejo-bench-"));
  writeFileSync(join(folder, "endless.gguf"), endless({ plain: true }));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What it prints, and what it writes. */
function bench(...what) {
  const json = join(folder, "figures.json");
  const args = [join(ROOT, "bench/bench.mjs"), ...what, "--rounds", "1", "--json", json];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", timeout: 300_000 });
  assert.equal(status, 0, `${stdout}${stderr}`);
  return { printed: stdout, written: JSON.parse(readFileSync(json, "utf8")) };
}

for (const runtime of ["browser", "node"]) {
  test(`tells of each step on WebGPU what it comes to: ${runtime}`, () => {
    const model = join(folder, "endless.gguf");
    const what = ["--device", "webgpu", "--runtime", runtime, "--model", model, "--measures", "prefill 40,decode 3"];
    const { printed, written: { profiles: [profile], matches: [match] } } = bench(...what);
    assert.match(profile.description, /swiftshader/i);
    assert.equal(match.contestants[0].description, profile.description);
    assert(match.contestants[0].results["decode 3"].share > 0, JSON.stringify(match));
    assert(profile.ceilings.bytesPerSecond > 0 && profile.ceilings.operationsPerSecond > 0, JSON.stringify(profile.ceilings));
    const [plain, timed] = [match.contestants[0], profile].map(({ steps }) => steps["decode 3"]);
    assert.deepEqual([plain.steps, plain.submits, plain.passes, plain.readBytes], [3, 1, 1, 4]);
    assert.equal(timed.dispatches, plain.dispatches);
    assert(Object.values(timed.kernels).some(({ ms }) => ms > 0), JSON.stringify(timed.kernels));
    for (const label of Object.keys(timed.kernels)) assert(printed.includes(label), `${label} is not in\n${printed}`);
    assert.match(printed, new RegExp(`^dispatches ${plain.dispatches}, submits 1, passes 1, bytes read back 4, CPU ms to encode `, "m"));
  });
}

/** A vision transformer of two blocks. */
const TINY = {
  hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 96,
  image_size: 32, patch_size: 16, num_channels: 3, layer_norm_eps: 1e-6, classes: 5,
};
const RIVAL = "onnxruntime-web";

/**
 * What it writes of images or texts, given `what`, on the CPU: beside the rival, where that is installed. Looks at what is
 * the same for both.
 */
function beside(t, kind, cases, ...what) {
  const has = existsSync(packageFolder(RIVAL));
  if (!has) t.diagnostic(`${RIVAL} is not installed (npm run bench -- --${kind} --against ${RIVAL} does that): ours alone`);
  const { printed, written } = bench(`--${kind}`, ...what, ...(has ? ["--against", RIVAL] : []));
  const { matches: [{ contestants, ...match }], versions, machine } = written;
  assert.equal(match.kind, kind);
  assert.deepEqual(Object.keys(versions), has ? ["azulejo", RIVAL] : ["azulejo"]);
  assert(machine.cores > 0 && match.ceilings.f32 > 0 && match.ceilings.dot16 > 0, JSON.stringify(written));
  const names = has ? ["azulejo, f32", `${RIVAL}, f32`, "azulejo, q8_0", `${RIVAL}, int8`] : ["azulejo, f32", "azulejo, q8_0"];
  assert.deepEqual(contestants.map(({ name }) => name), names);
  for (const { name, results } of contestants) {
    assert.deepEqual(Object.keys(results), cases);
    for (const { rounds, share } of Object.values(results)) assert(rounds.length === 1 && rounds[0] > 0 && share > 0, JSON.stringify(results));
    assert(printed.includes(name), printed);
  }
  return contestants;
}

test("times images in batches with each kind of weights, and beside the rival who says the same", (t) => {
  const model = join(folder, "vit");
  writeCheckpoint(model, TINY);
  beside(t, "images", ["batch 1", "batch 3"], "--model", model, "--batches", "1,3");
});

test("times texts with each kind of weights, and the vectors of all of them are near to each other", (t) => {
  const cases = ["1 text of 16 tokens", "1 text of 128 tokens", "64 texts of 5 to 60 tokens"];
  // The last is another's: int8 in its own way.
  const least = { f32: 0.9999, q8_0: 0.9997, int8: 0.95 };
  for (const { name, nearness } of beside(t, "texts", cases)) assert(nearness > least[name.split(", ")[1]], `${name}: ${nearness}`);
});
