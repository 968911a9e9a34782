// LoRA adapters beside a model, through the package: under Node, and in Chromium on both devices.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { CausalLM, Engine } from "../dist/index.js";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { assertNear } from "./support/near.mjs";
import { rejection } from "./support/rejections.mjs";
import { readSafetensors } from "./support/safetensors.mjs";
import { killWorker } from "./support/worker-death.mjs";

deadline(5);

const folder = (family) => new URL(`./fixtures/lora/${family}/`, import.meta.url);
const read = (name, family = "llama") => readFileSync(new URL(name, folder(family)));
const only = (...names) => Object.fromEntries(names.map((name) => [name, read(name)]));
const BASE = only("config.json", "model.safetensors");
const ADAPTER = only("adapter_config.json", "adapter_model.safetensors");

/** The tokens of a case, and what PEFT says of them. */
function caseOf(family) {
  const { input_ids, logits } = readSafetensors(read("case.safetensors", family));
  return { ids: [...input_ids.data], expected: logits.data };
}
const { ids, expected } = caseOf("llama");

describe("under Node", () => {
  let engine, lm;
  before(async () => {
    engine = await Engine.create({ threads: 1 });
    lm = await CausalLM.load(BASE, { engine, kvCacheType: "f32" });
  });
  after(() => engine?.dispose());

  const say = (of, options) => of.generate(ids.slice(0, 6), { maxTokens: 10, ignoreEnd: true, ...options });

  test("a folder, its path and a GGUF file say what PEFT says, and the model stays what it was", async () => {
    const alone = (await lm.logits(ids)).data;
    for (const source of [ADAPTER, fileURLToPath(folder("llama")), { "a.gguf": read("adapter.gguf") }, read("adapter.gguf")]) {
      const adapted = await lm.withAdapter(source);
      assertNear([...(await adapted.logits(ids)).data], expected, "with the adapter");
      assert.deepEqual((await lm.logits(ids)).data, alone);
      assert.deepEqual(adapted.summary, lm.summary);
      assert.equal(adapted.engine, engine);
      await adapted.dispose();
    }
  });

  test("models with several adapters write together what they write alone, each in its sessions", async () => {
    const models = [lm, await lm.withAdapter(ADAPTER), await lm.withAdapter(ADAPTER, { scale: -3 })];
    const alone = [];
    for (const model of models) alone.push((await say(model)).tokens);
    assert.equal(new Set(alone.map(String)).size, 3);
    const sessions = models.map((model) => model.createSession());
    const together = await Promise.all([...models, ...sessions].map((of) => say(of)));
    assert.deepEqual(together.map(({ tokens }) => tokens), [...alone, ...alone]);
    // What one has said of a prompt is another's not.
    const saved = await sessions[1].save();
    const restored = await models[1].restoreSession(saved);
    assert.equal(restored.length, sessions[1].length);
    for (const other of [models[0], models[2]]) await rejection(() => other.restoreSession(saved), "invalid-argument", /another model/);
    const maps = await Promise.all(models.map((model) => model.attentionMaps(ids, { layer: 1 })));
    assert.notDeepEqual(maps[0].data, maps[1].data);
    for (const model of models.slice(1)) await model.dispose();
  });

  test("an adapter outlives its model, and each is gone when it is disposed of", async () => {
    const base = await CausalLM.load(BASE, { engine });
    const adapted = await base.withAdapter(ADAPTER);
    const { tokens } = await say(adapted);
    const writing = say(adapted, { maxTokens: 60 });
    await base.dispose();
    assert.equal((await writing).finishReason, "length");
    assert.deepEqual((await say(adapted)).tokens, tokens);
    await rejection(() => say(base), "disposed", /model/);
    await rejection(() => base.withAdapter(ADAPTER), "disposed", /model/);
    await adapted.dispose();
    await rejection(() => say(adapted), "disposed", /model/);
  });

  test("both come back after their worker's death", async () => {
    const adapted = await lm.withAdapter(ADAPTER);
    const { tokens } = await say(adapted);
    await killWorker(engine);
    assert.deepEqual((await say(adapted)).tokens, tokens);
    await adapted.dispose();
  });

  test("what is no adapter of this model is refused by name, and the model goes on", async () => {
    const { tokens } = await say(lm);
    const config = (change) => ({ ...ADAPTER, "adapter_config.json": JSON.stringify({ ...JSON.parse(ADAPTER["adapter_config.json"]), ...change }) });
    const of = (family) => Object.fromEntries(["adapter_config.json", "adapter_model.safetensors"].map((name) => [name, read(name, family)]));
    const wrong = [
      [of("gpt2"), "invalid-argument", /another model/],
      [config({ use_dora: true }), "unsupported-model", /use_dora/],
      [config({ lora_alpha: "x" }), "corrupt-file", /lora_alpha/],
      [{ ...ADAPTER, "adapter_config.json": "{" }, "corrupt-file", /adapter_config/],
      [only("adapter_config.json"), "missing-file", /adapter_model\.safetensors is missing/],
      [{ ...only("adapter_config.json"), "adapter_model.bin": Buffer.from("x") }, "missing-file", /pickle/],
      [{ "x.txt": Buffer.from("x") }, "missing-file", /adapter_config\.json is missing/],
      [{ "m.gguf": read("model.gguf") }, "invalid-argument", /is a model/],
      [{ ...ADAPTER, "adapter_model.safetensors": ADAPTER["adapter_model.safetensors"].subarray(0, 9000) }, "corrupt-file", /adapter_model\.safetensors/],
    ];
    for (const [source, code, message] of wrong) await rejection(() => lm.withAdapter(source), code, message);
    for (const scale of ["1", NaN, Infinity]) await rejection(() => lm.withAdapter(ADAPTER, { scale }), "invalid-argument", /^scale/);
    await rejection(() => lm.withAdapter(ADAPTER, { quantize: "q8_0" }), "invalid-argument", /quantize/);
    await rejection(() => lm.withAdapter(ADAPTER, { signal: AbortSignal.abort() }), "aborted");
    const adapted = await lm.withAdapter(ADAPTER);
    await rejection(() => adapted.withAdapter(ADAPTER), "invalid-argument", /has an adapter already/);
    await adapted.dispose();
    assert.deepEqual((await say(lm)).tokens, tokens);
  });
});

describe("in Chromium", () => {
  let browser, server;
  before(async () => {
    browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    const files = Object.fromEntries(Object.entries({ ...BASE, ...ADAPTER }).map(([name, bytes]) => [`/lora/${name}`, { bytes }]));
    server = await startApiServer({ isolated: true, files });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  for (const device of ["cpu", "webgpu"]) {
    test(`on ${device} an adapter stands beside a model, and they write by turns`, async () => {
      const page = await browser.newPage();
      await page.goto(server.url);
      const found = await page.evaluate(async ({ device, ids }) => {
        const { CausalLM, Engine } = await import("/dist/index.js");
        const engine = await Engine.create({ device });
        const lm = await CausalLM.load("/lora/", { engine, kvCacheType: "f32" });
        const stages = [];
        const adapted = await lm.withAdapter("/lora/", { onProgress: ({ stage }) => stages.push(stage) });
        const say = async (of) => [...(await of.generate(ids.slice(0, 6), { maxTokens: 8, ignoreEnd: true })).tokens];
        const [logits, together] = [await adapted.logits(ids), await Promise.all([say(lm), say(adapted), say(lm)])];
        const alone = [await say(lm), await say(adapted)];
        const { kind } = engine.device;
        await engine.dispose();
        return { logits: [...logits.data], together, alone, kind, stages: [...new Set(stages)] };
      }, { device, ids });
      assert.equal(found.kind, device);
      assertNear(found.logits, expected, device);
      assert.deepEqual(found.together, [found.alone[0], found.alone[1], found.alone[0]]);
      assert.notDeepEqual(found.alone[0], found.alone[1]);
      assert(found.stages.includes("download") && found.stages.at(-1) === "ready", String(found.stages));
      await page.close();
    });
  }
});
