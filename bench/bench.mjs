// npm run bench -- [--model FILE]… [--threads 1,all] [--rounds 5] [--against wllama] [--device cpu] [--adapter swiftshader]
//                  [--runtime browser] [--measures "prefill 128,decode 64"] [--context 1024] [--before 16] [--sampled]
//                  [--integer-dot] [--without subgroups] [--json FILE]
// npm run bench -- --images …   see images.mjs
// npm run bench -- --texts …    see texts.mjs
//
// Prefill of 128 and 512 tokens and decode of 64, in Chromium or under Node, through the public interface. Every
// contestant has its own tab of one browser, and they take turns within each round, so that a machine that slows down
// slows all of them. On WebGPU, what a step comes to on the GPU.

import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gpuReport } from "./gpu-report.mjs";
import { install } from "./install.mjs";
import { exportOnnx } from "./onnx/export.mjs";
import { ADAPTERS, RUNTIMES, ceilingsOf } from "./places.mjs";
import { promptOf } from "./prompt.js";
import { circumstances, conclude } from "./record.mjs";
import { ceilingsLine, summarise, table, whereOf } from "./report.mjs";
import { floorSeconds, tokenWork } from "./shares.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const Q4_1 = join(ROOT, "models/SmolLM2-135M-Instruct.Q4_1.gguf");
const Q8_0 = join(ROOT, "models/SmolLM2-135M-Instruct.Q8_0.gguf");
const WLLAMA = ["wllama-3.13.0", "wllama-2.3.1"];
const ONNX = "onnxruntime-web";
const DAWN = "webgpu";
const RIVALS = [...WLLAMA, ONNX];

/** Room for the longest prompt in one batch, and for what is generated. */
const CONTEXT = 1024;
const BATCH = 512;
const MEASURES = "prefill 128,prefill 512,decode 64";
/** On a GPU that is a CPU, 64 tokens take minutes. */
const FEW = "prefill 128,decode 4";
/** Tokens before those that are decoded, where the measure does not say. */
const BEFORE = 16;
/** What most callers ask for, in place of the likeliest token. */
const SAMPLED = { temperature: 0.8, topK: 40, topP: 0.95, seed: 1 };

function options() {
  const { values } = parseArgs({
    options: {
      model: { type: "string", multiple: true },
      threads: { type: "string" },
      rounds: { type: "string", default: "5" },
      against: { type: "string", multiple: true, default: [] },
      device: { type: "string", default: "cpu" },
      adapter: { type: "string", default: "swiftshader" },
      runtime: { type: "string", default: "browser" },
      measures: { type: "string" },
      context: { type: "string" },
      before: { type: "string" },
      sampled: { type: "boolean", default: false },
      "integer-dot": { type: "boolean", default: false },
      without: { type: "string", multiple: true, default: [] },
      json: { type: "string" },
    },
  });
  const rivals = values.against.flatMap((name) => (name === "wllama" ? WLLAMA : [name]));
  const unknown = rivals.find((name) => !RIVALS.includes(name));
  if (unknown) throw new Error(`--against ${unknown}: expected wllama, ${RIVALS.join(", ")}`);
  for (const [name, known] of Object.entries({ adapter: ADAPTERS, runtime: Object.keys(RUNTIMES) })) {
    if (!known.includes(values[name])) throw new Error(`--${name} ${values[name]}: expected ${known.join(" or ")}`);
  }
  if (values.runtime === "node" && (rivals.length || values.device !== "webgpu"))
    throw new Error("--runtime node: only with --device webgpu, and without --against");
  const alone = values.measures?.includes("together") && (rivals.length > 0 || values.device === "webgpu");
  if (alone) throw new Error("--measures together: on the CPU, and without --against");
  if (values.measures?.includes("schema") && rivals.length > 0) throw new Error("--measures schema: without --against");
  const knobs = { integerDot: values["integer-dot"], without: values.without.flatMap((names) => names.split(",")) };
  if (rivals.length && (values.sampled || values.before)) throw new Error("--sampled and --before: without --against");
  if ((knobs.integerDot || knobs.without.length) && values.device !== "webgpu")
    throw new Error("--integer-dot and --without: only with --device webgpu");
  const needsGpu = values.device === "webgpu" || rivals.includes(ONNX);
  const measures = values.measures ?? (needsGpu && values.adapter === "swiftshader" ? FEW : MEASURES);
  const whole = (name, text) => {
    if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${name} ${text}: expected a whole number above 0`);
    return Number(text);
  };
  const rounds = whole("rounds", values.rounds);
  const before = values.before === undefined ? BEFORE : whole("before", values.before);
  return {
    models: values.model?.map((path) => resolve(path)) ?? (rivals.length ? [Q4_1, Q8_0] : [Q4_1]),
    threads: (values.threads ?? (rivals.length || needsGpu ? "1" : "1,all")).split(",").map(threadCount),
    contestants: ["azulejo", ...rivals],
    rounds,
    device: values.device,
    measures: measures.split(",").map((text) => measureOf(text, before)),
    settings: {
      contextLength: values.context === undefined ? CONTEXT : whole("context", values.context),
      batch: BATCH,
      ...(values.sampled && { sampling: SAMPLED }),
      ...(values.device === "webgpu" && { gpu: knobs }),
    },
    runtime: values.runtime,
    adapter: needsGpu ? values.adapter : undefined,
    json: values.json,
  };
}

/** "decode 64 after 512" as { name, kind, count, prompt }: how many tokens a prompt has. */
function measureOf(text, before) {
  const match = /^\s*(?:(prefill|together|schema) ([1-9]\d*)|decode ([1-9]\d*)(?: after ([1-9]\d*))?)\s*$/.exec(text);
  if (!match) throw new Error(`--measures ${text}: expected "prefill N", "decode N", "decode N after M", "schema N" and "together N"`);
  const [, kind = "decode", whole, decoded, after = before] = match;
  const count = Number(whole ?? decoded);
  return { name: text.trim(), kind, count, prompt: kind === "prefill" ? count : Number(after) };
}

function threadCount(text) {
  const count = text === "all" ? availableParallelism() : Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--threads ${text}: expected numbers and "all"`);
  return count;
}

/** Makes what can be made here: the requantised model, the contestants' packages, and the model as ONNX. */
function prepare({ models, contestants, runtime }) {
  if (models.includes(Q8_0) && !existsSync(Q8_0)) {
    const command = ["run", "--release", "--example", "requantize", "--", Q4_1, Q8_0, "q8_0"];
    execFileSync("cargo", command, { cwd: ROOT, stdio: "inherit" });
  }
  const missing = models.find((path) => !existsSync(path));
  if (missing) throw new Error(`${missing} is not there; npm start fetches the default checkpoint`);
  install([...contestants.filter((name) => RIVALS.includes(name)), ...(runtime === "node" ? [DAWN] : [])]);
  if (!contestants.includes(ONNX)) return;
  for (const model of models) {
    const onnx = model.replace(/\.gguf$/, ".onnx");
    if (existsSync(onnx)) continue;
    console.log(`writing ${onnx}`);
    exportOnnx(model, onnx);
  }
}

/** A place in which the contestant has loaded the model; `measure` runs one measure and gives tokens a second. */
async function enter(runtime, name, settings) {
  const place = await runtime.open();
  const { description, features } = await place.call("load", name, { ...settings, ...runtime.settings });
  const ask = (command, { kind, count, prompt }) => place.call(command, kind, promptOf(prompt), count);
  return {
    name,
    description,
    features,
    place,
    async measure(measure) {
      const { tokens, ms } = await ask("measure", measure);
      return (tokens * 1000) / ms;
    },
    step: (measure) => ask("step", measure),
    async leave() {
      await place.call("leave");
      await place.close();
    },
  };
}

/**
 * One model, one number of threads: everybody loads, one round does not count, then the rounds that do; before and after
 * it is measured what the machine can do.
 */
async function compete(runtime, { model, threads, contestants, rounds, device, measures, settings: chosen }) {
  const settings = { url: runtime.address(model), threads, device, ...chosen };
  const sizes = await sizesOf(runtime, model);
  const before = await ceilingsOf(runtime, settings);
  const entered = [];
  for (const name of contestants) entered.push(await enter(runtime, name, settings));
  const rates = entered.map(() => Object.fromEntries(measures.map(({ name }) => [name, []])));
  for (let round = 0; round <= rounds; round++) {
    for (const measure of measures) {
      for (const [index, contestant] of entered.entries()) {
        const rate = await contestant.measure(measure);
        if (round > 0) rates[index][measure.name].push(rate);
      }
    }
  }
  const steps = device === "webgpu" && contestants.length === 1 ? await stepsOf(entered[0], measures) : undefined;
  for (const contestant of entered) await contestant.leave();
  const ceilings = await ceilingsOf(runtime, settings, before);
  const shareOf = (measure) => (rate) => rate * floorSeconds(tokenWork(measure, sizes), ceilings, true);
  return {
    kind: "tokens",
    model: basename(model),
    device,
    threads,
    rounds,
    ceilings,
    measures: measures.map(({ name }) => name),
    contestants: entered.map(({ name, description }, index) => ({
      name,
      description,
      ...(index === 0 && { steps }),
      results: Object.fromEntries(measures.map((measure) => [measure.name, summarise(rates[index][measure.name], shareOf(measure))])),
    })),
  };
}

/** What a step of each measure comes to on the GPU. */
async function stepsOf(contestant, measures) {
  const steps = {};
  for (const measure of measures) steps[measure.name] = await contestant.step(measure);
  return steps;
}

/** The same with every kernel timed, in an engine of its own, since that slows it down; and the adapter's ceilings. */
async function profile(runtime, { model, device, measures, settings: chosen }) {
  const settings = { url: runtime.address(model), device, ...chosen, gpu: { ...chosen.gpu, profile: true } };
  const contestant = await enter(runtime, "azulejo", settings);
  const { description, features, place } = contestant;
  for (const measure of measures) await contestant.measure(measure);
  const steps = await stepsOf(contestant, measures);
  const ceilings = await place.call("ceilings");
  await contestant.leave();
  return { model: basename(model), description, features, ceilings, steps };
}

/** What a token reads and multiplies by. */
async function sizesOf(runtime, model) {
  const place = await runtime.open();
  const { parameters, width, vocabularySize } = await place.call("summary", runtime.address(model));
  await place.close();
  return { fileBytes: statSync(model).size, parameters, head: width * vocabularySize };
}

async function main() {
  const chosen = options();
  prepare(chosen);
  const runtime = await RUNTIMES[chosen.runtime](chosen);
  const matches = [];
  const profiles = [];
  try {
    for (const model of chosen.models) {
      for (const threads of chosen.threads) {
        const match = await compete(runtime, { ...chosen, model, threads });
        matches.push(match);
        console.log(table(match));
        console.log(ceilingsLine(match.ceilings, whereOf(match)));
      }
      if (chosen.device === "webgpu" && chosen.contestants.length === 1) {
        const measured = await profile(runtime, { ...chosen, model });
        profiles.push(measured);
        console.log(gpuReport(measured, matches.at(-1).contestants[0].steps));
      }
    }
    conclude(chosen.json, circumstances(runtime, chosen.contestants.filter((name) => RIVALS.includes(name))), { matches, profiles });
  } finally {
    await runtime.close();
  }
}

const other = ["images", "texts"].find((name) => process.argv.includes(`--${name}`));
await (other ? import(`./${other}.mjs`) : main());
