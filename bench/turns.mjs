// What the benchmarks of images and of texts share: ours and ONNX Runtime Web on the same weights, in turns.

import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { install } from "./install.mjs";
import { GRAPHS } from "./onnx/encoder.mjs";
import { WEIGHTS } from "./onnx/safetensors.mjs";
import { ADAPTERS, RUNTIMES, ceilingsOf } from "./places.mjs";
import { circumstances, conclude } from "./record.mjs";
import { align, ceilingsLine, digits, median, percent, summarise, whereOf } from "./report.mjs";
import { floorSeconds } from "./shares.mjs";

const ONNX = "onnxruntime-web";
/** The weights that ours are compared with. */
const RIVALS = { f32: "f32", q8_0: "int8" };

/** The options that both have, and those of one of them. */
export function readOptions(own) {
  const { values } = parseArgs({
    options: {
      model: { type: "string" },
      device: { type: "string", default: "cpu" },
      adapter: { type: "string", default: "swiftshader" },
      against: { type: "string" },
      weights: { type: "string", default: "f32,q8_0" },
      threads: { type: "string", default: "1" },
      rounds: { type: "string" },
      json: { type: "string" },
      ...own,
    },
  });
  const known = { device: ["cpu", "webgpu"], adapter: ADAPTERS, against: [undefined, ONNX] };
  for (const [name, list] of Object.entries(known)) {
    if (!list.includes(values[name])) throw new Error(`--${name} ${values[name]}: expected ${list.filter(Boolean).join(" or ")}`);
  }
  // On a GPU that is a CPU, a call takes minutes.
  const slow = values.device === "webgpu" && values.adapter === "swiftshader";
  const rounds = values.rounds ?? (slow ? "1" : "5");
  return {
    ...values,
    model: values.model && resolve(values.model),
    weights: values.weights.split(","),
    threads: wholeNumber("threads", values.threads),
    rounds: wholeNumber("rounds", rounds),
    slow,
  };
}

export function wholeNumber(name, text) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} ${text}: expected whole numbers above 0`);
  return number;
}

/** Who takes part: each kind of our weights, and beside it the rival's. Its int8 has no kernels on WebGPU. */
function contestantsOf({ weights, against, device }, kind) {
  return weights.flatMap((ours) => {
    const theirs = RIVALS[ours];
    const rival = against && theirs && (device === "cpu" || theirs === "f32");
    return [
      { name: `azulejo, ${ours}`, module: `azulejo-${kind}`, settings: { weights: ours } },
      ...(rival ? [{ name: `${against}, ${theirs}`, module: `${ONNX}-${kind}`, graph: theirs, settings: { graph: GRAPHS[theirs] } }] : []),
    ];
  });
}

/** Makes the rival's package and its files, where they are missing. */
function prepare(model, graphs, exportGraph) {
  if (!existsSync(join(model, WEIGHTS))) throw new Error(`${join(model, WEIGHTS)} is not there`);
  if (graphs.length) install([ONNX]);
  for (const weights of graphs) {
    if (existsSync(join(model, GRAPHS[weights]))) continue;
    console.log(`writing ${join(model, GRAPHS[weights])}`);
    exportGraph(model, weights);
  }
}

/** A tab in which the contestant has loaded the model and has warmed up; `outputs`: what it said meanwhile. */
async function enter(runtime, { model, device, threads }, { name, module, settings }, { kind, warm }) {
  const place = await runtime.open();
  const { description, features } = await place.call("load", module, { url: runtime.address(model), device, threads, ...settings });
  const measure = ({ input }) => place.call("measure", kind, ...input);
  const outputs = [];
  // None of it counts: until then an engine may still be compiling.
  for (const each of warm) outputs.push((await measure(each)).output);
  return { name, place, description, features, measure, outputs };
}

/** How near each comes to the first; who computes with the same weights must say the same. */
function compare(entered, { name: measure, of, same }) {
  const [first] = entered;
  for (const one of entered) {
    one.nearness = of(one.outputs, first.outputs);
    const isSame = one.name.split(", ")[1] === "f32" && first.name.split(", ")[1] === "f32";
    if (isSame && !same(one.nearness)) throw new Error(`${one.name} does not say what ${first.name} says: ${measure} ${one.nearness}`);
  }
}

async function compete(runtime, chosen, contestants, task) {
  const before = await ceilingsOf(runtime, chosen);
  const entered = [];
  for (const contestant of contestants) entered.push(await enter(runtime, chosen, contestant, task));
  compare(entered, task.nearness);
  const times = entered.map(() => Object.fromEntries(task.cases.map(({ name }) => [name, []])));
  for (let round = 0; round < chosen.rounds; round++) {
    for (const each of task.cases) {
      for (const [index, { measure }] of entered.entries()) {
        const calls = [];
        for (let call = 0; call < (chosen.slow ? 1 : each.calls); call++) calls.push((await measure(each)).ms);
        times[index][each.name].push(median(calls) / each.count);
      }
    }
  }
  for (const { place } of entered) {
    await place.call("leave");
    await place.close();
  }
  const ceilings = await ceilingsOf(runtime, chosen, before);
  const found = entered.map(({ name, description, features, nearness }, index) => ({
    name, description, features, nearness,
    results: Object.fromEntries(task.cases.map((each) => [each.name, summarise(times[index][each.name], shareOf(each, name, ceilings))])),
  }));
  return { ceilings, found };
}

/** Which share of the ceiling a time is, by the weights in the contestant's name. */
function shareOf({ work }, name, ceilings) {
  const floor = floorSeconds(work, ceilings, !name.endsWith(", f32"));
  return (ms) => (1000 * floor) / ms;
}

/** A line a contestant, a column a case; below a pair, how many times as long the rival takes. */
function table({ model, device, threads, rounds }, { unit, cases, nearness }, results) {
  const cell = ({ median, min, max, share }) => `${digits(median)} (${digits(min)} to ${digits(max)}), ${percent(share)}`;
  const lines = results.flatMap(({ name, results: own, nearness: near }, index) => {
    const line = [name, ...cases.map((each) => cell(own[each.name])), nearness.text(near)];
    if (!name.startsWith(ONNX)) return [line];
    const ratio = (each) => `${(own[each.name].median / results[index - 1].results[each.name].median).toFixed(2)} ×`;
    return [line, ["  takes", ...cases.map(ratio), ""]];
  });
  const title = `${basename(model)}, ${whereOf({ device, threads })}: milliseconds per ${unit}, median of ${rounds} (quickest to slowest), share of the ceiling`;
  return `${title}\n${align([["", ...cases.map(({ name }) => name), nearness.name], ...lines])}\n`;
}

/**
 * Runs the benchmark, prints its table and writes `--json`.
 * @param task `kind`: the command of the contestants ("images"), `unit`: what a time is of ("image"), `cases`: what is measured,
 *   each with its `name`, the command's `input`, the `count` of units in it, the `work` of one, and the `calls` of a round, whose median
 *   counts (on SwiftShader one); `warm`: the cases that warm up, whose outputs are compared; `nearness`: how, with its `name`, the
 *   number `of` outputs and the first contestant's, whether it means the `same`, and its `text`; `exportGraph(model, weights)`
 */
export async function run(chosen, task) {
  const contestants = contestantsOf(chosen, task.kind);
  prepare(chosen.model, contestants.flatMap(({ graph }) => graph ?? []), task.exportGraph);
  const adapter = chosen.device === "webgpu" ? chosen.adapter : undefined;
  const runtime = await RUNTIMES.browser({ models: [chosen.model], adapter });
  try {
    const { ceilings, found: results } = await compete(runtime, chosen, contestants, task);
    console.log(table(chosen, task, results));
    console.log(ceilingsLine(ceilings, whereOf(chosen)));
    const { model, device, threads, rounds } = chosen;
    const match = { kind: task.kind, model: basename(model), device, threads, rounds, ceilings, contestants: results };
    conclude(chosen.json, circumstances(runtime, chosen.against ? [ONNX] : []), { matches: [match] });
  } finally {
    await runtime.close();
  }
}
