// A step of the lab through the package, under Node on Dawn: node bench/lab/dawn.mjs STEP [--small]
//
// A line of JSON for each thing that was seen, as soon as it was.

import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
globalThis.navigator ??= {};
// Dawn rounds timestamps to 65 µs unless it is told not to.
const gpu = create(["disable-dawn-features=timestamp_quantization"]);
Object.defineProperty(navigator, "gpu", { value: gpu });

const { Engine } = await import("../../dist/index.js");
const { measureCeilings } = await import("../../www-dist/gpu/ceilings.js");
const { DECODERS, MINILM, SMALL_MINILM, SMALL_VIT, VIT_B, small } = await import("./models.js");
const { WAYS, decode, images, logitsApart, openDecoder, prefill, sentences, steps } = await import("./measures.js");

const [step, ...rest] = process.argv.slice(2);
const isSmall = rest.includes("--small");
const say = (seen) => process.stdout.write(`${JSON.stringify(seen)}\n`);

// A worker of Node's has no navigator.gpu.
const open = (gpu, device = "webgpu") => Engine.create({ device, worker: false, threads: 1, gpu });

async function environment() {
  const adapter = await gpu.requestAdapter();
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter } = adapter.info;
  const limits = {};
  for (const name in adapter.limits) limits[name] = adapter.limits[name];
  say({
    node: process.versions.node, vendor, architecture, device, description, isFallbackAdapter,
    subgroups: [subgroupMinSize, subgroupMaxSize], features: [...adapter.features], language: [...(gpu.wgslLanguageFeatures ?? [])], limits,
  });
  const engine = await open();
  say({ engine: engine.device });
  await engine.dispose();
}

/** What the CPU's products in bytes may differ by, over the largest logit. */
const ALLOWED = 0.02;

/** The logits of each mix of formats on WebGPU, beside the CPU's; of the first also on what WebGPU promises everywhere. */
async function checks() {
  for (const [name, shape] of Object.entries(DECODERS)) {
    for (const knobs of shape.mix === "q4_1" ? [{}, { basicLimits: true }] : [{}]) {
      const engines = [await open(undefined, "cpu"), await open(knobs)];
      const { apart } = await logitsApart(engines, small(shape));
      for (const engine of engines) await engine.dispose();
      const check = `logits, ${name}${knobs.basicLimits ? ", basic limits" : ""}`;
      say({ check, error: apart, allowed: ALLOWED, right: apart < ALLOWED });
    }
  }
}

async function ceilings() {
  const onFound = (ceiling, value) => say({ ceiling, value });
  const size = isSmall ? { scale: 1 / 64 } : { warmMs: 2000 };
  say({ ceilings: await measureCeilings(await gpu.requestAdapter(), { ...size, onFound }) });
}

const sizes = isSmall
  ? { prompts: [20], tokens: 4, long: 64, profiled: 3, rounds: 1 }
  : { prompts: [20, 128, 512], tokens: 64, long: 3800, profiled: 16, rounds: 3 };

/** Everything of one decoder, the most telling first: as it is, then kernel by kernel, then with products in bytes. */
async function model(name) {
  const shape = isSmall ? small(DECODERS[name]) : DECODERS[name];
  await asItIs(name, shape);
  // A device that is software compiles for seconds: once is enough.
  if (isSmall && shape.mix !== "q4_1") return;
  await loaded(shape, { profile: true }, async (engine, model) => {
    say({ model: name, profile: await steps(engine, model, sizes.prompts.at(-1), sizes.profiled) });
  });
  await loaded(shape, { integerDot: true }, async (_, model) => {
    for (const count of sizes.prompts) say({ model: name, what: `prompt of ${count}, in bytes`, ...(await prefill(model, count, sizes)) });
  });
}

async function asItIs(name, shape) {
  await loaded(shape, {}, async (_, model, { bytes, seconds }) => {
    say({ model: name, what: "loaded", bytes, seconds });
    // Drawing needs kernels of its own.
    const ways = isSmall && shape.mix !== "q4_1" ? { greedy: WAYS.greedy } : WAYS;
    for (const [way, options] of Object.entries(ways)) {
      say({ model: name, what: `tokens, ${way}`, ...(await decode(model, sizes.tokens, { way: options, rounds: sizes.rounds })) });
    }
    for (const count of sizes.prompts) say({ model: name, what: `prompt of ${count}`, ...(await prefill(model, count, sizes)) });
    const before = sizes.long;
    say({ model: name, what: `tokens after ${before}`, ...(await decode(model, sizes.tokens, { before, rounds: 1 })) });
  });
}

/** Does `work` with the model on an engine of its own. */
async function loaded(shape, knobs, work) {
  const engine = await open(knobs);
  const { model, ...found } = await openDecoder(engine, shape, { contextLength: sizes.long + 2 * sizes.tokens + 64 });
  await work(engine, model, found);
  await engine.dispose();
}

async function encoders() {
  const engine = await open();
  const [bert, looks] = isSmall ? [SMALL_MINILM, SMALL_VIT] : [MINILM, VIT_B];
  const cases = isSmall ? [[8], [8, 20]] : [[16], [128], Array.from({ length: 64 }, (_, n) => 5 + (n * 37) % 56)];
  for (const lengths of cases) say({ model: "MiniLM", ...(await sentences(engine, bert, lengths, sizes.rounds)) });
  for (const count of isSmall ? [1] : [1, 8]) say({ model: "ViT-B", ...(await images(engine, looks, count, sizes.rounds)) });
  await engine.dispose();
}

const STEPS = {
  environment, checks, ceilings, encoders,
  "135m": () => model("SmolLM2-135M Q4_1"),
  "7b-q4_0": () => model("7B Q4_0"),
  "7b-q4_k_m": () => model("7B Q4_K_M"),
};
if (!STEPS[step]) throw new Error(`${step}: expected one of ${Object.keys(STEPS).join(", ")}`);
await STEPS[step]();
// Dawn's threads would keep the process.
process.exit(0);
