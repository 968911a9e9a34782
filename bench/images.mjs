// npm run bench -- --images [--model FOLDER] [--device cpu] [--against onnxruntime-web] [--batches 1,8] [--rounds 5]
//                  [--weights f32,q8_0] [--threads 1] [--adapter swiftshader] [--json FILE]
//
// Milliseconds per image of a vision transformer, ViT-B/16 with random weights unless another folder is named, in
// Chromium. Every contestant has its own tab of one browser, and they take turns within each round.

import { existsSync, writeFileSync } from "node:fs";
import { cpus, loadavg, availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { install } from "./install.mjs";
import { ADAPTERS, RUNTIMES } from "./places.mjs";
import { align, summarise } from "./report.mjs";
import { readCheckpoint, VIT_B16, WEIGHTS, writeCheckpoint } from "./vit/checkpoint.mjs";
import { exportVit, GRAPHS } from "./vit/export.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const DEFAULT = join(ROOT, "models/vit-b16");
const ONNX = "onnxruntime-web";
/** The weights that ours are compared with. */
const RIVALS = { f32: "f32", q8_0: "int8" };
/** What two ways to compute the same logits may differ by. */
const SAME = 1e-2;

function options() {
  const { values } = parseArgs({
    options: {
      images: { type: "boolean" },
      model: { type: "string", default: DEFAULT },
      device: { type: "string", default: "cpu" },
      adapter: { type: "string", default: "swiftshader" },
      against: { type: "string" },
      weights: { type: "string", default: "f32,q8_0" },
      batches: { type: "string", default: "1,8" },
      threads: { type: "string", default: "1" },
      rounds: { type: "string" },
      json: { type: "string" },
    },
  });
  const known = { device: ["cpu", "webgpu"], adapter: ADAPTERS, against: [undefined, ONNX] };
  for (const [name, list] of Object.entries(known)) {
    if (!list.includes(values[name])) throw new Error(`--${name} ${values[name]}: expected ${list.filter(Boolean).join(" or ")}`);
  }
  const count = (name, text) => {
    const number = Number(text);
    if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} ${text}: expected whole numbers above 0`);
    return number;
  };
  // On a GPU that is a CPU, eight images take minutes.
  const rounds = values.rounds ?? (values.device === "webgpu" && values.adapter === "swiftshader" ? "1" : "5");
  return {
    ...values,
    model: resolve(values.model),
    weights: values.weights.split(","),
    batches: values.batches.split(",").map((text) => count("batches", text)),
    threads: count("threads", values.threads),
    rounds: count("rounds", rounds),
  };
}

/** Makes what can be made here: the model of random weights, the rival's package, and its files. */
function prepare(model, graphs) {
  if (model === DEFAULT && !existsSync(join(model, WEIGHTS))) {
    console.log(`writing ${model}`);
    writeCheckpoint(model, VIT_B16);
  }
  if (!existsSync(join(model, WEIGHTS))) throw new Error(`${join(model, WEIGHTS)} is not there`);
  if (graphs.length) install([ONNX]);
  for (const weights of graphs) {
    if (existsSync(join(model, GRAPHS[weights]))) continue;
    console.log(`writing ${join(model, GRAPHS[weights])}`);
    exportVit(model, weights);
  }
}

/** Who takes part: each kind of our weights, and beside it the rival's. Its int8 has no kernels on WebGPU. */
function contestantsOf({ weights, against, device }) {
  return weights.flatMap((ours) => {
    const theirs = RIVALS[ours];
    const rival = against && theirs && (device === "cpu" || theirs === "f32");
    return [
      { name: `azulejo, ${ours}`, module: "azulejo-images", settings: { weights: ours } },
      ...(rival ? [{ name: `${against}, ${theirs}`, module: `${ONNX}-images`, graph: theirs, settings: { graph: GRAPHS[theirs] } }] : []),
    ];
  });
}

/** Who computes with the same weights must say the same. */
function checkLogits(entered) {
  const [first, ...others] = entered.filter(({ name }) => name.endsWith("f32"));
  for (const { name, logits } of others) {
    const apart = Math.max(...logits.map((value, i) => Math.abs(value - first.logits[i])));
    if (!(apart <= SAME)) throw new Error(`the logits of ${name} differ from those of ${first.name} by ${apart}`);
  }
}

async function compete(runtime, chosen, contestants) {
  const { config } = withCheckpoint(chosen.model);
  const size = [config.num_channels, config.image_size, config.image_size];
  const entered = [];
  for (const { name, module, settings } of contestants) {
    const place = await runtime.open();
    const { device, threads } = chosen;
    const { description, features } = await place.call("load", module, { url: runtime.address(chosen.model), device, threads, ...settings });
    const measure = (batch) => place.call("measure", "images", size, batch);
    // Neither counts: until then an engine may still be compiling.
    await measure(1);
    const { logits } = await measure(1);
    entered.push({ name, place, description, features, measure, logits, times: Object.fromEntries(chosen.batches.map((batch) => [batch, []])) });
  }
  checkLogits(entered);
  for (let round = 0; round < chosen.rounds; round++) {
    for (const batch of chosen.batches) {
      for (const { measure, times } of entered) {
        const { ms } = await measure(batch);
        times[batch].push(ms / batch);
      }
    }
  }
  for (const { place } of entered) {
    await place.call("leave");
    await place.close();
  }
  return entered.map(({ name, description, features, times }) => ({
    name, description, features,
    results: Object.fromEntries(Object.entries(times).map(([batch, list]) => [batch, summarise(list)])),
  }));
}

function withCheckpoint(folder) {
  const checkpoint = readCheckpoint(folder);
  checkpoint.close();
  return checkpoint;
}

/** A line a contestant, a column a batch; below a pair, how many times as long the rival takes. */
function table({ model, device, threads, rounds, batches }, results) {
  const cell = ({ median, min, max }) => `${median.toFixed(0)} (${min.toFixed(0)} to ${max.toFixed(0)})`;
  const lines = results.flatMap(({ name, results: own }, index) => {
    const line = [name, ...batches.map((batch) => cell(own[batch]))];
    if (!name.startsWith(ONNX)) return [line];
    const ratio = (batch) => `${(own[batch].median / results[index - 1].results[batch].median).toFixed(2)} ×`;
    return [line, ["  takes", ...batches.map(ratio)]];
  });
  const where = device === "cpu" ? `${threads} thread${threads === 1 ? "" : "s"}` : "WebGPU";
  const title = `${basename(model)}, ${where}: milliseconds per image, median of ${rounds} (quickest to slowest)`;
  return `${title}\n${align([["", ...batches.map((batch) => `batch ${batch}`)], ...lines])}\n`;
}

async function main() {
  const chosen = options();
  const contestants = contestantsOf(chosen);
  prepare(chosen.model, contestants.flatMap(({ graph }) => graph ?? []));
  const adapter = chosen.device === "webgpu" ? chosen.adapter : undefined;
  const runtime = await RUNTIMES.browser({ models: [chosen.model], adapter });
  try {
    const results = await compete(runtime, chosen, contestants);
    console.log(table(chosen, results));
    const machine = { processor: cpus()[0].model, cores: availableParallelism(), load: loadavg()[0], runtime: runtime.name };
    console.log(`${machine.runtime}, ${machine.processor}, ${machine.cores} cores, load ${machine.load.toFixed(2)}`);
    const { model, device, threads, rounds } = chosen;
    const written = { machine, images: { model: basename(model), device, threads, rounds, contestants: results } };
    if (chosen.json) writeFileSync(chosen.json, `${JSON.stringify(written, null, 1)}\n`);
  } finally {
    await runtime.close();
  }
}

await main();
