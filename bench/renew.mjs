// node bench/renew.mjs [NAMES] [--with "COMMAND"]
//
// Measures what the READMEs' tables say, each run into its file of bench/results, then writes the tables (tables.mjs).
// Without names: all of them, which takes half an hour. The machine must have nothing else to do: `--with` names a command
// that sees to that while another runs, which it is given. No run is much longer than a minute.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const smollm = (weights) => `--model models/SmolLM2-135M-Instruct.${weights}.gguf`;
const ONNX = "--against onnxruntime-web";
const WEBGPU = `--device webgpu ${ONNX}`;
const images = (size, more) => `--images --model models/${size} ${ONNX} ${more}`;

/** What the benchmark is told, by the file's name. Several words in quotes are one. */
const RUNS = {
  "tokens-q4_1-1": `${smollm("Q4_1")} --against wllama --measures "prefill 128,decode 64" --rounds 3`,
  "tokens-q4_1-1-prefill-512": `${smollm("Q4_1")} --against wllama-2.3.1 --measures "prefill 512" --rounds 3`,
  "tokens-q4_1-2": `${smollm("Q4_1")} --against wllama --threads 2 --measures "prefill 128,decode 64" --rounds 3`,
  "tokens-q8_0-1": `${smollm("Q8_0")} --against wllama --measures "prefill 128,decode 64" --rounds 5`,
  "tokens-q8_0-1-prefill-512": `${smollm("Q8_0")} --against wllama-2.3.1 --measures "prefill 512" --rounds 3`,
  "tokens-q8_0-2": `${smollm("Q8_0")} --against wllama --threads 2 --measures "prefill 128,decode 64" --rounds 5`,
  "tokens-long": `${smollm("Q4_1")} --threads 1 --context 4352 --measures "decode 64 after 128,decode 64 after 512,decode 64 after 4096" --rounds 2`,
  "tokens-schema-1": `${smollm("Q4_1")} --threads 1 --measures "decode 64 after 16,schema 64" --rounds 7`,
  "tokens-schema-webgpu": `${smollm("Q4_1")} --device webgpu --measures "decode 4 after 16,schema 4" --rounds 3`,
  "tokens-webgpu-prefill": `${smollm("Q4_1")} ${WEBGPU} --measures "prefill 128" --rounds 2`,
  "tokens-webgpu-decode": `${smollm("Q4_1")} ${WEBGPU} --measures "decode 4" --rounds 2`,
  "vit-b16-1": images("vit-b16", "--rounds 2"),
  "vit-ti16-1": images("vit-ti16", "--rounds 9"),
  "vit-ti16-2": images("vit-ti16", "--threads 2 --rounds 9"),
  "vit-ti16-webgpu": images("vit-ti16", "--device webgpu --weights f32 --batches 1 --rounds 3"),
  "minilm-1": `--texts ${ONNX} --rounds 5`,
  "minilm-2": `--texts ${ONNX} --threads 2 --rounds 5`,
  "minilm-webgpu": `--texts ${WEBGPU} --weights f32 --cases 1,2 --rounds 3`,
};

const words = (text) => [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain);

function measure(name, around) {
  const json = join("bench", "results", `${name}.json`);
  const command = [...around, process.execPath, join("bench", "bench.mjs"), ...words(RUNS[name]), "--json", json];
  const { status } = spawnSync(command[0], command.slice(1), { cwd: ROOT, stdio: "inherit" });
  if (status !== 0) console.error(`${name}: FAILED, and ${json} is what it was`);
  return status === 0;
}

const { values: { with: around = "" }, positionals } = parseArgs({ options: { with: { type: "string" } }, allowPositionals: true });
const unknown = positionals.find((name) => !RUNS[name]);
if (unknown) throw new Error(`${unknown}: expected ${Object.keys(RUNS).join(", ")}`);
const failed = (positionals.length ? positionals : Object.keys(RUNS)).filter((name) => !measure(name, words(around)));
const { status } = spawnSync(process.execPath, [join("bench", "tables.mjs")], { cwd: ROOT, stdio: "inherit" });
process.exit(failed.length ? 1 : status);
