// node bench/tables.mjs [--check]
//
// Writes the tables of README.md, bench/README.md and docs/ that say how fast something is, from what bench/results keeps
// (renew.mjs measures it). With --check nothing is written: it fails where a table is not what the results say.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { digits, percent } from "./report.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RESULTS = join(ROOT, "bench", "results");
const DOCUMENTS = ["README.md", join("bench", "README.md"), join("docs", "speed.md"), join("docs", "grammars.md")];
const SMOLLM = { "Q4_1": "SmolLM2-135M-Instruct.Q4_1.gguf", "Q8_0": "SmolLM2-135M-Instruct.Q8_0.gguf" };
const OURS = "azulejo";
const ONNX = "onnxruntime-web";
const [WLLAMA, OLD_WLLAMA] = ["wllama-3.13.0", "wllama-2.3.1"];
const INT8 = { f32: "f32", q8_0: "int8" };

/** Every match of every run, the latest run last. */
function readMatches() {
  const runs = readdirSync(RESULTS).filter((name) => name.endsWith(".json")).sort().map((name) => JSON.parse(readFileSync(join(RESULTS, name), "utf8")));
  runs.sort((a, b) => a.date.localeCompare(b.date));
  return runs.flatMap(({ matches, ...run }) => matches.map((match) => ({ ...match, run })));
}

/** A table in Markdown that remembers the runs that its figures are of. */
class Table {
  lines = [];
  used = new Set();

  constructor(matches, head) {
    this.matches = matches;
    this.row(head.map((text) => text || " "));
    this.lines.push(`|${"---|".repeat(head.length)}`);
  }

  row(cells) {
    this.lines.push(`| ${cells.join(" | ")} |`);
  }

  /** The last figure of this contestant in this measure. */
  find(measure, contestant, { model, device = "cpu", threads = 1 }) {
    const ofThis = (match) => match.model === model && match.device === device && match.threads === threads;
    for (const match of this.matches.filter(ofThis).toReversed()) {
      const result = match.contestants.find(({ name }) => name === contestant)?.results[measure];
      if (!result) continue;
      this.used.add(match);
      return result;
    }
    return undefined;
  }

  /** A row of figures, each with its share of the ceiling: `of` are its measures with what they are of. None, no row. */
  figures(labels, contestant, of) {
    const isOurs = contestant.startsWith(OURS);
    const results = of.map(([measure, what]) => this.find(measure, contestant, what));
    if (!results.some(Boolean)) return;
    const text = ({ median, share }) => `${isOurs ? `**${digits(median)}**` : digits(median)} (${percent(share)})`;
    const cells = results.map((result) => (result ? text(result) : "–"));
    this.row([...labels.slice(0, -1), isOurs ? `**${labels.at(-1)}**` : labels.at(-1), ...cells]);
  }

  /** How many times as quick the first is as the second; `inTime`: figures are times, of which less is better. */
  ratios(labels, [first, second], of, inTime) {
    const cells = of.map(([measure, what]) => {
      const [a, b] = [first, second].map((contestant) => this.find(measure, contestant, what)?.median);
      return a && b ? `${(inTime ? b / a : a / b).toFixed(2)} ×` : "–";
    });
    this.row([...labels, ...cells]);
  }

  /** Where, when and of which commit. */
  text() {
    if (this.used.size === 0) return "Not measured yet.";
    const runs = [...new Set([...this.used].map(({ run }) => run))];
    const all = (of) => [...new Set(runs.map(of))].join(", ");
    const rounds = [...new Set([...this.used].map((match) => match.rounds))].sort((a, b) => a - b).join(" or ");
    const machine = all(({ machine: { runtime, processor, cores } }) => `${runtime.replace(/(\d)\.[\d.]+/, "$1")}, ${processor}, ${cores} cores`);
    const origin = `${machine}; ${all(({ date }) => date)}, commit ${all((run) => run.commit)}; ${/^1$/.test(rounds) ? "one round" : `medians of ${rounds} rounds`} in turns.`;
    return [...this.lines, "", origin].join("\n");
  }
}

/** "wllama 3.13.0", "ONNX Runtime Web 1.30.0". */
function nameOf(contestant, matches) {
  if (contestant.startsWith("wllama")) return contestant.replace("-", " ");
  const version = matches.findLast(({ run }) => run.versions[ONNX])?.run.versions[ONNX];
  return contestant.startsWith(ONNX) ? `ONNX Runtime Web ${version ?? ""}`.trim() : OURS;
}

const TABLES = {
  "tokens-cpu"(matches) {
    const measures = ["prefill 128", "prefill 512", "decode 64"];
    const table = new Table(matches, ["", "", ...measures]);
    for (const threads of [1, 2]) for (const [weights, model] of Object.entries(SMOLLM)) {
      const title = `${weights}, ${threads === 1 ? "1 thread" : `${threads} threads`}`;
      for (const contestant of [OURS, OLD_WLLAMA, WLLAMA]) {
        table.figures([title, nameOf(contestant, matches)], contestant, measures.map((measure) => [measure, { model, threads }]));
      }
    }
    return table;
  },

  "tokens-long"(matches) {
    const lengths = [128, 512, 4096];
    const table = new Table(matches, ["", ...lengths.map((length) => `after ${length} tokens`)]);
    table.figures(["decode, Q4_1, 1 thread"], OURS, lengths.map((length) => [`decode 64 after ${length}`, { model: SMOLLM.Q4_1 }]));
    return table;
  },

  "tokens-schema"(matches) {
    const table = new Table(matches, ["", "free", "by a schema", "of it"]);
    for (const [title, of, count] of [["CPU, 1 thread", { device: "cpu" }, 64], ["WebGPU, by SwiftShader", { device: "webgpu" }, 4]]) {
      const [free, held] = [`decode ${count} after 16`, `schema ${count}`].map((measure) => table.find(measure, OURS, { model: SMOLLM.Q4_1, ...of }));
      if (free && held) table.row([title, digits(free.median), digits(held.median), percent(held.median / free.median)]);
    }
    return table;
  },

  "tokens-webgpu"(matches) {
    const of = ["prefill 128", "decode 4"].map((measure) => [measure, { model: SMOLLM.Q4_1, device: "webgpu" }]);
    const table = new Table(matches, ["", ...of.map(([measure]) => measure)]);
    for (const contestant of [OURS, ONNX]) table.figures([nameOf(contestant, matches)], contestant, of);
    table.ratios(["times as quick"], [OURS, ONNX], of);
    return table;
  },

  "encoders-webgpu"(matches) {
    const device = "webgpu";
    const of = [
      ["batch 1", { model: "vit-ti16", device }],
      ["1 text of 16 tokens", { model: "all-MiniLM-L6-v2", device }],
      ["1 text of 128 tokens", { model: "all-MiniLM-L6-v2", device }],
    ];
    const table = new Table(matches, ["", "ViT-Ti/16, an image", "MiniLM, 16 tokens", "MiniLM, 128 tokens"]);
    for (const contestant of [OURS, ONNX]) table.figures([nameOf(contestant, matches)], `${contestant}, f32`, of);
    table.ratios(["times as quick"], [`${OURS}, f32`, `${ONNX}, f32`], of, true);
    return table;
  },

  "images-cpu": (matches) => encoders(matches, [["ViT-B/16", "vit-b16", 1], ["ViT-Ti/16", "vit-ti16", 1], ["ViT-Ti/16", "vit-ti16", 2]],
    { "batch 1": "batch 1", "batch 8": "batch 8" }),

  "texts-cpu": (matches) => encoders(matches, [["MiniLM", "all-MiniLM-L6-v2", 1], ["MiniLM", "all-MiniLM-L6-v2", 2]], {
    "1 text of 16 tokens": "16 tokens", "1 text of 128 tokens": "128 tokens", "64 texts of 5 to 60 tokens": "of a batch of 64",
  }),

  ceilings(matches) {
    const table = new Table(matches, ["", "GB/s read", "G multiply-adds/s in f32", "in 16 bits", "of bytes widened to that", "of 8 by 7 bits"]);
    const giga = (rate) => (rate ? digits(rate / 1e9) : "–");
    for (const [name, device, threads] of [["1 thread", "cpu", 1], ["2 threads", "cpu", 2], ["WebGPU, by SwiftShader", "webgpu", 1]]) {
      const match = matches.findLast((match) => match.kind === "tokens" && match.device === device && match.threads === threads);
      if (!match) continue;
      table.used.add(match);
      const { read, f32, dot16, wide, relaxed } = match.ceilings;
      table.row([name, ...[read, f32, dot16, wide, relaxed].map(giga)]);
    }
    return table;
  },
};

/** Milliseconds of models on so many threads, in float32 and in eight bits, ours and theirs. */
function encoders(matches, models, cases) {
  const table = new Table(matches, ["", "", ...Object.values(cases)]);
  for (const [title, model, threads] of models) for (const [ours, theirs] of Object.entries(INT8)) {
    const of = Object.keys(cases).map((each) => [each, { model, threads }]);
    const weights = ours === theirs ? "float32" : "Q8_0, their dynamic int8";
    const label = `${title}, ${weights}, ${threads === 1 ? "1 thread" : `${threads} threads`}`;
    table.figures([label, OURS], `${OURS}, ${ours}`, of);
    table.figures([label, nameOf(ONNX, matches)], `${ONNX}, ${theirs}`, of);
  }
  return table;
}

const BEGIN = (name) => `<!-- bench/tables.mjs writes this: ${name} -->`;
const END = "<!-- until here -->";

/** The document as the results have it. */
export function renewed(text, matches = readMatches()) {
  return text.replace(/<!-- bench\/tables\.mjs writes this: (\S+) -->\n[^]*?<!-- until here -->/g, (_, name) => {
    if (!TABLES[name]) throw new Error(`${BEGIN(name)}: expected one of ${Object.keys(TABLES).join(", ")}`);
    return `${BEGIN(name)}\n\n${TABLES[name](matches).text()}\n\n${END}`;
  });
}

export const documents = () => DOCUMENTS.map((name) => [name, readFileSync(join(ROOT, name), "utf8")]);

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const stale = documents().filter(([, text]) => text !== renewed(text));
  if (!process.argv.includes("--check")) for (const [name, text] of stale) writeFileSync(join(ROOT, name), renewed(text));
  else if (stale.length) {
    console.error(`${stale.map(([name]) => name).join(" and ")}: not what bench/results says: node bench/tables.mjs`);
    process.exit(1);
  }
}
