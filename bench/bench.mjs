// npm run bench -- [--model FILE]… [--threads 1,all] [--rounds 5] [--against wllama] [--device cpu] [--adapter swiftshader]
//                  [--measures "prefill 128,decode 64"] [--json FILE]
//
// Prefill of 128 and 512 tokens and decode of 64, in Chromium, through the public interface. Every contestant has its
// own tab of one browser, and they take turns within each round, so that a machine that slows down slows all of them.

import { execFileSync } from "node:child_process";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { cpus, loadavg, availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { launchBrowser } from "../tests/support/browser.mjs";
import { startServer } from "../tests/support/server.mjs";
import { exportOnnx } from "./onnx/export.mjs";
import { promptOf } from "./prompt.js";
import { floor, summarise, table } from "./report.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const Q4_1 = join(ROOT, "models/SmolLM2-135M-Instruct.Q4_1.gguf");
const Q8_0 = join(ROOT, "models/SmolLM2-135M-Instruct.Q8_0.gguf");
const WLLAMA = ["wllama-3.8.1", "wllama-2.3.1"];
const ONNX = "onnxruntime-web";
const RIVALS = [...WLLAMA, ONNX];
/** What the browser is told so that it has this adapter. */
const ADAPTERS = { swiftshader: WEBGPU_ARGUMENTS, default: [] };

/** Room for the longest prompt in one batch, and for what is generated. */
const CONTEXT = { contextLength: 1024, batch: 512 };
const MEASURES = "prefill 128,prefill 512,decode 64";
/** On a GPU that is a CPU, 64 tokens take minutes. */
const FEW = "prefill 128,decode 4";
/** Tokens before those that are decoded. */
const BEFORE = 16;

function options() {
  const { values } = parseArgs({
    options: {
      model: { type: "string", multiple: true },
      threads: { type: "string" },
      rounds: { type: "string", default: "5" },
      against: { type: "string", multiple: true, default: [] },
      device: { type: "string", default: "cpu" },
      adapter: { type: "string", default: "swiftshader" },
      measures: { type: "string" },
      json: { type: "string" },
    },
  });
  const rivals = values.against.flatMap((name) => (name === "wllama" ? WLLAMA : [name]));
  const unknown = rivals.find((name) => !RIVALS.includes(name));
  if (unknown) throw new Error(`--against ${unknown}: expected wllama, ${RIVALS.join(", ")}`);
  const adapters = Object.keys(ADAPTERS);
  if (!adapters.includes(values.adapter)) throw new Error(`--adapter ${values.adapter}: expected ${adapters.join(" or ")}`);
  const needsGpu = values.device === "webgpu" || rivals.includes(ONNX);
  const measures = values.measures ?? (needsGpu && values.adapter === "swiftshader" ? FEW : MEASURES);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: expected a whole number above 0`);
  return {
    models: values.model?.map((path) => resolve(path)) ?? (rivals.length ? [Q4_1, Q8_0] : [Q4_1]),
    threads: (values.threads ?? (rivals.length || needsGpu ? "1" : "1,all")).split(",").map(threadCount),
    contestants: ["azulejo", ...rivals],
    rounds,
    device: values.device,
    measures: measures.split(",").map(measureOf),
    browserArguments: needsGpu ? ADAPTERS[values.adapter] : [],
    json: values.json,
  };
}

/** "prefill 128" as { name, kind, count }. */
function measureOf(text) {
  const match = /^\s*(prefill|decode) ([1-9]\d*)\s*$/.exec(text);
  if (!match) throw new Error(`--measures ${text}: expected "prefill N" and "decode N"`);
  return { name: text.trim(), kind: match[1], count: Number(match[2]) };
}

function threadCount(text) {
  const count = text === "all" ? availableParallelism() : Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--threads ${text}: expected numbers and "all"`);
  return count;
}

/** Makes what can be made here: the requantised model, the contestants' packages, and the model as ONNX. */
function prepare({ models, contestants }) {
  if (models.includes(Q8_0) && !existsSync(Q8_0)) {
    const command = ["run", "--release", "--example", "requantize", "--", Q4_1, Q8_0, "q8_0"];
    execFileSync("cargo", command, { cwd: ROOT, stdio: "inherit" });
  }
  const missing = models.find((path) => !existsSync(path));
  if (missing) throw new Error(`${missing} is not there; npm start fetches the default checkpoint`);
  const bench = join(ROOT, "bench");
  if (contestants.some((name) => RIVALS.includes(name) && !existsSync(join(bench, "node_modules", name)))) {
    const without = contestants.includes(ONNX) ? [] : ["--omit=optional"];
    execFileSync("npm", ["install", "--no-audit", "--no-fund", ...without], { cwd: bench, stdio: "inherit" });
  }
  if (!contestants.includes(ONNX)) return;
  for (const model of models) {
    const onnx = model.replace(/\.gguf$/, ".onnx");
    if (existsSync(onnx)) continue;
    console.log(`writing ${onnx}`);
    exportOnnx(model, onnx);
  }
}

/** A tab in which the contestant has loaded the model; `measure` runs one measure and gives tokens a second. */
async function enter(browser, server, name, settings) {
  const page = await browser.newPage();
  await page.goto(new URL("/bench/page.html", server.url).href);
  const script = new URL(`/bench/contestants/${name}.js`, server.url).href;
  const description = await page.evaluate(async ([script, settings]) => {
    const { load } = await import(script);
    globalThis.contestant = await load(settings);
    return globalThis.contestant.description;
  }, [script, settings]);
  return {
    name,
    description,
    async measure({ kind, count }) {
      await page.bringToFront();
      const prompt = promptOf(kind === "prefill" ? count : BEFORE);
      const call = ([kind, prompt, count]) => globalThis.contestant[kind](prompt, count);
      const { tokens, ms } = await page.evaluate(call, [kind, prompt, count]);
      return (tokens * 1000) / ms;
    },
    async leave() {
      await page.evaluate(() => globalThis.contestant.dispose());
      await page.close();
    },
  };
}

/** One model, one number of threads: everybody loads, one round does not count, then the rounds that do. */
async function compete(browser, server, { model, threads, contestants, rounds, device, measures }) {
  const url = addressOf(server, model);
  const entered = [];
  for (const name of contestants) entered.push(await enter(browser, server, name, { url, threads, device, ...CONTEXT }));
  const rates = entered.map(() => Object.fromEntries(measures.map(({ name }) => [name, []])));
  for (let round = 0; round <= rounds; round++) {
    for (const measure of measures) {
      for (const [index, contestant] of entered.entries()) {
        const rate = await contestant.measure(measure);
        if (round > 0) rates[index][measure.name].push(rate);
      }
    }
  }
  for (const contestant of entered) await contestant.leave();
  return {
    model: basename(model),
    threads,
    rounds,
    measures: measures.map(({ name }) => name),
    contestants: entered.map(({ name, description }, index) => ({
      name,
      description,
      results: Object.fromEntries(Object.entries(rates[index]).map(([measure, list]) => [measure, summarise(list)])),
    })),
  };
}

/** The machine's own rates, and what they mean for this model. */
async function measureMachine(browser, server, model) {
  const page = await browser.newPage();
  await page.goto(new URL("/bench/page.html", server.url).href);
  const { rates, summary } = await page.evaluate(async (url) => {
    const { measureFloor } = await import("/bench/floor.js");
    const { inspect } = await import("/dist/index.js");
    return { rates: await measureFloor(), summary: await inspect(url) };
  }, addressOf(server, model));
  await page.close();
  const { parameters, width, vocabularySize } = summary;
  return { rates, text: floor(rates, { fileBytes: statSync(model).size, parameters, head: width * vocabularySize }) };
}

function addressOf(server, model) {
  return new URL(`/model/${encodeURIComponent(basename(model))}`, server.url).href;
}

async function main() {
  const chosen = options();
  prepare(chosen);
  const browser = await launchBrowser({ args: chosen.browserArguments });
  const matches = [];
  const floors = {};
  try {
    for (const model of chosen.models) {
      const server = await startServer({ mounts: { "/model/": dirname(model), "/": ROOT }, isolated: true });
      for (const threads of chosen.threads) {
        const match = await compete(browser, server, { ...chosen, model, threads });
        matches.push(match);
        console.log(table(match));
      }
      const { rates, text } = await measureMachine(browser, server, model);
      console.log(text);
      floors[basename(model)] = rates;
      await server.close();
    }
    const machine = { processor: cpus()[0].model, cores: availableParallelism(), load: loadavg()[0], browser: browser.version() };
    console.log(`${machine.browser}, ${machine.processor}, ${machine.cores} cores, load ${machine.load.toFixed(2)}`);
    if (chosen.json) writeFileSync(chosen.json, `${JSON.stringify({ machine, floors, matches }, null, 1)}\n`);
  } finally {
    await browser.close();
  }
}

await main();
