// The conformance runner over tests/conformance, and the spellings of config.json that checkpoints come in.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Runner } from "../scripts/conformance/runner.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { olderSpellings } from "./support/older-configs.mjs";
import { startServer } from "./support/server.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const CASES = join(ROOT, "tests/conformance");
const FAMILIES = Object.keys(JSON.parse(readFileSync(join(CASES, "index.json"), "utf8")).families);

function conformance(...given) {
  return spawnSync(process.execPath, [join(ROOT, "scripts/conformance.mjs"), ...given], { encoding: "utf8" });
}

const configOf = (family) => JSON.parse(readFileSync(join(CASES, family, "config.json"), "utf8"));

/** Fields that other families give a meaning, and these ignore as transformers does. */
const IGNORED = {
  llama: { sliding_window: 4, use_sliding_window: true, logit_scale: 0.5, final_logit_softcapping: 3, layer_types: null },
  mistral: { attention_bias: true, mlp_bias: true, embedding_multiplier: 12, max_window_layers: 1 },
  qwen2: { sliding_window: 4, use_sliding_window: false, attention_bias: false, max_window_layers: 0 },
  qwen3: { sliding_window: 4, use_sliding_window: false, query_pre_attn_scalar: 7, residual_multiplier: 0.2 },
  gpt2: { sliding_window: 4, rope_theta: 500, logit_scale: 0.5 },
  opt: { sliding_window: 4, scale_embedding: true, rope_theta: 500 },
  bloom: { alibi: false, rope_theta: 500, attention_bias: false },
  mpt: { clip_qkv: 1, rope_theta: 500, sliding_window: 4 },
  gptj: { rope_theta: 500, partial_rotary_factor: 0.1, sliding_window: 4 },
  gpt_neox: { sliding_window: 4, rotary_dim: 2 },
  falcon: { num_kv_heads: 2, sliding_window: 4, logit_scale: 0.5 },
  cohere: { sliding_window: 4, rms_norm_eps: 0.5, final_logit_softcapping: 3, mlp_bias: true },
  gemma: { sliding_window: 4, attn_logit_softcapping: 3, final_logit_softcapping: 3, query_pre_attn_scalar: 7 },
  gemma2: { sliding_window_pattern: 3, rope_local_base_freq: 5 },
  gemma3: { logit_scale: 0.5, attention_multiplier: 3 },
  phi3: { attention_bias: true, mlp_bias: true, logit_scale: 0.5 },
  starcoder2: { attention_bias: false, mlp_bias: false, layer_norm_eps: 0.5, use_sliding_window: false },
  phi: { sliding_window: 4, attention_bias: false, use_parallel_residual: false },
  stablelm: { sliding_window: 4, attention_bias: true, rms_norm_eps: 0.5 },
  olmo2: { sliding_window: 4, clip_qkv: 1, logit_scale: 0.5 },
  smollm3: { sliding_window: 4, final_logit_softcapping: 3 },
  bert: { sliding_window: 4, rope_theta: 5, n_layers: 1 },
  roberta: { sliding_window: 4, norm_eps: 0.5 },
  distilbert: { type_vocab_size: 2, layer_norm_eps: 0.5 },
  modernbert: { layer_norm_eps: 0.5, type_vocab_size: 2 },
  t5: { scale_embedding: true, normalize_before: true },
  bart: { relative_attention_num_buckets: 8, sliding_window: 4 },
  marian: { relative_attention_num_buckets: 8, sliding_window: 4 },
  clip: { hidden_size: 7, vocab_size: 3 },
  siglip: { projection_dim: 7, hidden_size: 7 },
};

describe("conformance with the reference implementation", () => {
  let browser;
  before(async () => { browser = await launchBrowser(); });
  after(() => browser?.close());

  test("the runner passes every family, and says so in its last line", (t) => {
    const { stdout, stderr, status } = conformance(CASES, "--device", "cpu");
    for (const line of stdout.trim().split("\n")) t.diagnostic(line);
    assert.equal(stdout.trim().split("\n").at(-1), `${FAMILIES.length} passed, 0 failed, 0 skipped`, stdout + stderr);
    assert.equal(status, 0);
  });

  /** Tests on one page, which is isolated from other origins or not. */
  function onPage(isolated, tests) {
    let server, runner;
    before(async () => {
      server = await startServer({ mounts: { "/conformance/": CASES, "/": ROOT }, isolated });
      runner = new Runner({ browser, server, directory: CASES, device: "cpu" });
    });
    after(async () => {
      await runner?.close();
      await server?.close();
    });
    tests(async (family, config) => {
      const replaced = config && { "config.json": JSON.stringify(config) };
      const { outcome, detail, failures } = await runner.run(family, { replaced });
      assert.equal(outcome, "passed", [detail, ...failures].join("\n"));
    });
  }

  describe("without cross-origin isolation", () => onPage(false, (assertPasses) => {
    for (const family of FAMILIES) test(`the numbers of ${family} are as good`, () => assertPasses(family));
  }));

  describe("the spelling of config.json that most published checkpoints have", () => onPage(true, (assertPasses) => {
    for (const family of FAMILIES) {
      for (const [spelling, config] of Object.entries(olderSpellings(configOf(family)))) {
        test(`${family}, ${spelling}, is the same model`, () => assertPasses(family, config));
      }
    }
  }));

  describe("fields of config.json that a family ignores", () => onPage(true, (assertPasses) => {
    for (const [family, fields] of Object.entries(IGNORED)) {
      test(`change nothing of ${family}`, () => assertPasses(family, { ...configOf(family), ...fields }));
    }
  }));

  describe("the runner itself", () => {
    let folder;
    before(() => { folder = mkdtempSync(join(tmpdir(), "azulejo-conformance-")); });
    after(() => rmSync(folder, { recursive: true, force: true }));

    test("skips a family that we lack, with the reason", () => {
      cpSync(join(CASES, "llama"), join(folder, "strange"), { recursive: true });
      const config = { ...configOf("llama"), architectures: ["StrangeForCausalLM"], model_type: "strange" };
      writeFileSync(join(folder, "strange/config.json"), JSON.stringify(config));
      const { stdout, status } = conformance(folder, "--only", "strange");
      assert.match(stdout, /^strange +unsupported +.*strange/im);
      assert.match(stdout, /^0 passed, 0 failed, 1 skipped$/m);
      assert.equal(status, 0);
    });

    test("fails a family whose logits differ, and says where", () => {
      cpSync(join(CASES, "llama"), join(folder, "wrong"), { recursive: true });
      const path = join(folder, "wrong/case.safetensors");
      const bytes = readFileSync(path);
      const start = 8 + Number(bytes.readBigUInt64LE(0));
      const header = JSON.parse(bytes.subarray(8, start).toString());
      // Row 1, position 3, token 5 of the logits [2, 24, vocabulary].
      const place = start + header.logits.data_offsets[0] + 4 * ((24 + 3) * header.logits.shape[2] + 5);
      bytes.writeFloatLE(99, place);
      writeFileSync(path, bytes);
      const { stdout, status } = conformance(folder, "--only", "wrong");
      assert.match(stdout, /logits, row 1, position 3, token 5: expected 99, got /);
      assert.match(stdout, /^0 passed, 1 failed, 0 skipped$/m);
      assert.equal(status, 1);
    });

    test("names a family that is asked for and not there", () => {
      const { stderr, status } = conformance(CASES, "--only", "llama,gpt9");
      assert.match(stderr, /gpt9/);
      assert.notEqual(status, 0);
    });
  });
});
