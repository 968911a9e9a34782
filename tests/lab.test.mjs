// The lab from its command line, small, in its cheapest steps, on SwiftShader: that every step is written as it ends, and what
// is in it. How fast anything was is not looked at.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect } from "../dist/index.js";
import { floorOf } from "../bench/gpu-report.mjs";
import { DECODERS, SMALL_MINILM, SMALL_VIT, decoder, minilm, small, vit } from "../bench/lab/models.js";
import { labReport } from "../bench/lab/report.mjs";
import { packageFolder } from "../bench/install.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const NO_DAWN = "webgpu is not installed: npm run bench -- --device webgpu --runtime node does that";
/** `cargo test` builds it. */
const NATIVE = join(ROOT, "target/debug/examples/gpu_lab");

let folder;
before(() => { folder = mkdtempSync(join(tmpdir(), "azulejo-lab-")); });
after(() => rmSync(folder, { recursive: true, force: true }));

/** What the lab writes of some steps. */
function lab(name, ...what) {
  const out = join(folder, name);
  const args = [join(ROOT, "bench/lab/lab.mjs"), "--small", "--driver", "swiftshader", "--out", out, ...what];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", timeout: 120_000 });
  assert.equal(status, 0, `${stdout}${stderr}`);
  const { results } = JSON.parse(readFileSync(join(out, "lab.json"), "utf8"));
  assert.equal(readdirSync(out).length, results.length + 2, "a file a step, all of it, and the report");
  return { printed: stdout, results, of: (step) => results.find((result) => result.step === step) };
}

test("the half on Dawn tells of the adapter, and of sentences and images", (t) => {
  if (!existsSync(packageFolder("webgpu"))) return t.skip(NO_DAWN);
  const { of, printed } = lab("dawn", "--only", "dawn-environment,encoders");
  assert.deepEqual([of("environment").ended, of("encoders").ended], ["well", "well"], printed);
  assert.match(of("environment").lines[0].architecture, /swiftshader/i);
  assert.equal(of("environment").lines[1].engine.kind, "webgpu");
  for (const { model, ms } of of("encoders").lines) assert(["MiniLM", "ViT-B"].includes(model) && ms > 0);
});

test("the native half tells of the adapter and of its ceilings", (t) => {
  if (!existsSync(NATIVE)) return t.skip("cargo build --example gpu_lab has not been run");
  const { of, printed } = lab("native", "--only", "native-environment,native-ceilings", "--native", NATIVE);
  assert.deepEqual([of("environment").ended, of("ceilings").ended], ["well", "well"], printed);
  assert.match(of("environment").lines[0].adapter, /swiftshader/i);
  const { ceilings } = of("ceilings").lines.at(-1);
  const rates = ["bytesPerSecond", "operationsPerSecond", "byteOperationsPerSecond"].map((name) => ceilings[name]);
  assert(rates.every((rate) => rate > 0 && Number.isFinite(rate)), JSON.stringify(ceilings));
});

test("a step that cannot be is told of, and the others are done", () => {
  const { results, printed } = lab("broken", "--only", "native-environment,native-ceilings", "--native", join(folder, "nothing"));
  assert.equal(results.length, 2);
  assert.match(printed, /FAILED: native environment: .*ENOENT/);
});

test("a step that takes too long is ended", (t) => {
  if (!existsSync(packageFolder("webgpu"))) return t.skip(NO_DAWN);
  const { results: [{ ended, seconds }] } = lab("late", "--only", "135m", "--seconds", "1");
  assert.equal(ended, "by its time");
  assert(seconds < 60);
});

test("random models are what they say they are", async () => {
  for (const shape of Object.values(DECODERS)) {
    const made = decoder(small(shape));
    const bytes = new Uint8Array(await new Response(made.stream()).arrayBuffer());
    assert.equal(bytes.length, made.bytes);
    const { architecture, layers, width } = await inspect(bytes);
    assert.deepEqual([architecture, layers, width], ["llama", 2, 256]);
  }
  assert.equal((await inspect(minilm(SMALL_MINILM))).task, "text-embedding");
  assert.equal((await inspect(vit(SMALL_VIT))).task, "image-classification");
});

test("the report has what is wrong first, and shares by the ceilings of their half", () => {
  const ceilings = { bytesPerSecond: 1e9, operationsPerSecond: 1e9, byteOperationsPerSecond: 4e9 };
  const product = { what: "a product", ms: 10, bytes: 1e6, operations: 5e6 };
  const step = (half, step, ...lines) => ({ half, step, ended: "well", lines });
  const report = labReport([
    step("native", "ceilings", { ceilings }),
    step("native", "checks", { check: "a check", error: 2, allowed: 1, right: false }, { check: "another", error: 0, allowed: 1, right: true }),
    step("native", "rows", product, { ...product, what: "in bytes", inBytes: true }),
    step("dawn", "135m", { model: "tiny", what: "tokens, greedy", ms: 2, tokensPerSecond: 500 }),
  ]);
  assert.match(report, /^2 checks, 1 wrong\n {2}WRONG, native: a check: 2, allowed 1\n/);
  assert.match(report, /^native a product +10\.0000 +5\.0000 +50\.0 % +0\.1 +arithmetic$/m);
  assert.match(report, /^native in bytes +10\.0000 +1\.2500 +12\.5 % /m);
  assert.match(report, /^tiny, tokens, greedy +2\.00 +500\.0$/m);
  assert.equal(floorOf(product, ceilings).ms, 5);
});
