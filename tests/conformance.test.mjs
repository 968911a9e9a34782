// The conformance runner over tests/conformance. The spellings of config.json that checkpoints come in are compared
// natively: native/spellings.rs.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Runner } from "../scripts/conformance/runner.mjs";
import { kept, made } from "./reference/spellings/make.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { startServer } from "./support/server.mjs";

deadline(10);

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const CASES = join(ROOT, "tests/conformance");
const FAMILIES = Object.keys(JSON.parse(readFileSync(join(CASES, "index.json"), "utf8")).families);

function conformance(...given) {
  return spawnSync(process.execPath, [join(ROOT, "scripts/conformance.mjs"), ...given], { encoding: "utf8", timeout: 300_000 });
}

const configOf = (family) => JSON.parse(readFileSync(join(CASES, family, "config.json"), "utf8"));

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

  describe("without cross-origin isolation", () => {
    let server, runner;
    before(async () => {
      server = await startServer({ mounts: { "/conformance/": CASES, "/": ROOT }, isolated: false });
      runner = new Runner({ browser, server, directory: CASES, device: "cpu" });
    });
    after(async () => {
      await runner?.close();
      await server?.close();
    });
    for (const family of FAMILIES) {
      test(`the numbers of ${family} are as good`, async () => {
        const { outcome, detail, failures } = await runner.run(family);
        assert.equal(outcome, "passed", [detail, ...failures].join("\n"));
      });
    }
  });

  test("the spellings that are compared natively are those of today's families", () => {
    assert.equal(kept(), made(), "write them anew: node tests/reference/spellings/make.mjs");
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
