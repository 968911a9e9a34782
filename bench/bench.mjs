// npm run bench -- [--model FILE]… [--threads 1,all] [--rounds 5] [--against wllama] [--device cpu] [--json FILE]
//
// Prefill of 128 and 512 tokens and decode of 64, in Chromium, through the public interface. Every contestant has its
// own tab of one browser, and they take turns within each round, so that a machine that slows down slows all of them.

import { execFileSync } from "node:child_process";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { cpus, loadavg, availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { launchBrowser } from "../tests/support/browser.mjs";
import { startServer } from "../tests/support/server.mjs";
import { promptOf } from "./prompt.js";
import { floor, summarise, table } from "./report.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const Q4_1 = join(ROOT, "models/SmolLM2-135M-Instruct.Q4_1.gguf");
const Q8_0 = join(ROOT, "models/SmolLM2-135M-Instruct.Q8_0.gguf");
const WLLAMA = ["wllama-3.8.1", "wllama-2.3.1"];

/** Room for the longest prompt in one batch, and for what is generated. */
const CONTEXT = { contextLength: 1024, batch: 512 };
const MEASURES = {
  "prefill 128": (contestant, prompts) => contestant.prefill(prompts[128]),
  "prefill 512": (contestant, prompts) => contestant.prefill(prompts[512]),
  "decode 64": (contestant, prompts) => contestant.decode(prompts[16], 64),
};

function options() {
  const { values } = parseArgs({
    options: {
      model: { type: "string", multiple: true },
      threads: { type: "string" },
      rounds: { type: "string", default: "5" },
      against: { type: "string", multiple: true, default: [] },
      device: { type: "string", default: "cpu" },
      json: { type: "string" },
    },
  });
  const rivals = values.against.flatMap((name) => (name === "wllama" ? WLLAMA : [name]));
  const unknown = rivals.find((name) => !WLLAMA.includes(name));
  if (unknown) throw new Error(`--against ${unknown}: expected wllama, ${WLLAMA.join(" or ")}`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: expected a whole number above 0`);
  return {
    models: values.model?.map((path) => resolve(path)) ?? (rivals.length ? [Q4_1, Q8_0] : [Q4_1]),
    threads: (values.threads ?? (rivals.length ? "1" : "1,all")).split(",").map(threadCount),
    contestants: ["azulejo", ...rivals],
    rounds,
    device: values.device,
    json: values.json,
  };
}

function threadCount(text) {
  const count = text === "all" ? availableParallelism() : Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--threads ${text}: expected numbers and "all"`);
  return count;
}

/** Makes what can be made here: the requantised model, and the contestants' packages. */
function prepare({ models, contestants }) {
  if (models.includes(Q8_0) && !existsSync(Q8_0)) {
    const command = ["run", "--release", "--example", "requantize", "--", Q4_1, Q8_0, "q8_0"];
    execFileSync("cargo", command, { cwd: ROOT, stdio: "inherit" });
  }
  const missing = models.find((path) => !existsSync(path));
  if (missing) throw new Error(`${missing} is not there; npm start fetches the default checkpoint`);
  const bench = join(ROOT, "bench");
  if (contestants.some((name) => WLLAMA.includes(name) && !existsSync(join(bench, "node_modules", name)))) {
    execFileSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: bench, stdio: "inherit" });
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
    async measure(run, prompts) {
      await page.bringToFront();
      const { tokens, ms } = await page.evaluate(`(${run})(globalThis.contestant, ${JSON.stringify(prompts)})`);
      return (tokens * 1000) / ms;
    },
    async leave() {
      await page.evaluate(() => globalThis.contestant.dispose());
      await page.close();
    },
  };
}

/** One model, one number of threads: everybody loads, one round does not count, then the rounds that do. */
async function compete(browser, server, { model, threads, contestants, rounds, device }) {
  const url = addressOf(server, model);
  const prompts = Object.fromEntries([16, 128, 512].map((count) => [count, promptOf(count)]));
  const entered = [];
  for (const name of contestants) entered.push(await enter(browser, server, name, { url, threads, device, ...CONTEXT }));
  const rates = entered.map(() => Object.fromEntries(Object.keys(MEASURES).map((measure) => [measure, []])));
  for (let round = 0; round <= rounds; round++) {
    for (const [measure, run] of Object.entries(MEASURES)) {
      for (const [index, contestant] of entered.entries()) {
        const rate = await contestant.measure(run, prompts);
        if (round > 0) rates[index][measure].push(rate);
      }
    }
  }
  for (const contestant of entered) await contestant.leave();
  return {
    model: basename(model),
    threads,
    rounds,
    measures: Object.keys(MEASURES),
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
  const browser = await launchBrowser();
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
