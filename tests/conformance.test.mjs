// The conformance runner over tests/conformance, and the spellings of config.json that checkpoints come in.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { kindOf, runFamily } from "../scripts/conformance/runner.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { startServer } from "./support/server.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const CASES = join(ROOT, "tests/conformance");
const FAMILIES = readdirSync(CASES).filter((name) => name !== "index.json");
const CAUSAL = FAMILIES.filter((family) => kindOf(CASES, family) === "causal");

function conformance(...given) {
  return spawnSync(process.execPath, [join(ROOT, "scripts/conformance.mjs"), ...given], { encoding: "utf8" });
}

const configOf = (family) => JSON.parse(readFileSync(join(CASES, family, "config.json"), "utf8"));

/** The spelling before transformers 5: `rope_theta` beside `rope_scaling`, `torch_dtype`, no head size that follows. */
function olderSpelling(config, typeKey) {
  const { rope_parameters: { rope_theta, rope_type, ...scaling }, dtype, head_dim, ...rest } = config;
  const follows = head_dim === undefined || head_dim * config.num_attention_heads === config.hidden_size;
  return {
    ...rest,
    ...(follows ? {} : { head_dim }),
    rope_theta,
    rope_scaling: rope_type === "default" ? null : { [typeKey]: rope_type, ...scaling },
    torch_dtype: dtype,
    transformers_version: "4.46.0",
  };
}

/** Fields that other families give a meaning, and these ignore as transformers does. */
const IGNORED = {
  llama: { sliding_window: 4, use_sliding_window: true, logit_scale: 0.5, final_logit_softcapping: 3, layer_types: null },
  mistral: { attention_bias: true, mlp_bias: true, embedding_multiplier: 12, max_window_layers: 1 },
  qwen2: { sliding_window: 4, use_sliding_window: false, attention_bias: false, max_window_layers: 0 },
  qwen3: { sliding_window: 4, use_sliding_window: false, query_pre_attn_scalar: 7, residual_multiplier: 0.2 },
};

describe("conformance with the reference implementation", () => {
  let browser, server;
  before(async () => {
    browser = await launchBrowser();
    server = await startServer({ mounts: { "/conformance/": CASES, "/": ROOT }, isolated: true });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  async function assertPasses(family, more = {}) {
    const { outcome, detail, failures } = await runFamily({ browser, server, directory: CASES, family, device: "cpu", ...more });
    assert.equal(outcome, "passed", [detail, ...failures].join("\n"));
  }

  test("the runner passes every family, and says so in its last line", (t) => {
    const { stdout, stderr, status } = conformance(CASES, "--device", "cpu");
    for (const line of stdout.trim().split("\n")) t.diagnostic(line);
    assert.equal(stdout.trim().split("\n").at(-1), `${FAMILIES.length} passed, 0 failed, 0 skipped`, stdout + stderr);
    assert.equal(status, 0);
  });

  test("without cross-origin isolation the numbers are as good", async () => {
    const plain = await startServer({ mounts: { "/conformance/": CASES, "/": ROOT }, isolated: false });
    try {
      for (const family of FAMILIES) await assertPasses(family, { server: plain });
    } finally {
      await plain.close();
    }
  });

  for (const typeKey of ["type", "rope_type"]) {
    test(`the older spelling of config.json, with rope_scaling's "${typeKey}", is the same model`, async () => {
      for (const family of CAUSAL) {
        const config = JSON.stringify(olderSpelling(configOf(family), typeKey));
        await assertPasses(family, { replaced: { "config.json": config } });
      }
    });
  }

  test("fields of config.json that a family ignores are ignored", async () => {
    for (const [family, fields] of Object.entries(IGNORED)) {
      await assertPasses(family, { replaced: { "config.json": JSON.stringify({ ...configOf(family), ...fields }) } });
    }
  });

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
