// Runs in the page: a healthy model, and attempts at everything that must be refused beside it.

import { BAD_FILES, badFile } from "./bad-files.mjs";
import { writeGguf } from "./gguf.mjs";
import { CONTEXT, VOCABULARY, seeded, tinyModel } from "./tiny-model.mjs";

/** Nothing takes a second on a quiet machine; an attempt that takes this long on a busy one hangs. */
const PATIENCE = 120_000;
const PROMPT = [5, 6, 7, 8];

let azulejo, engine, healthy, expected;
/** The memories of the wasm instances that were made on this page itself (an engine without a worker). */
const memories = [];

/** Loads the healthy model, and keeps its answer. */
export async function start(entry, engineOptions) {
  watchMemory();
  azulejo = await import(entry);
  engine = await azulejo.Engine.create(engineOptions);
  healthy = await load(writeGguf(tinyModel()).bytes);
  expected = (await healthy.logits(PROMPT)).data;
  return { vocabulary: VOCABULARY, memory: memory() };
}

/** Whether the healthy model answers as it did. */
export async function stillAnswers() {
  const { data } = await healthy.logits(PROMPT);
  return data.length === expected.length && data.every((value, index) => value === expected[index]);
}

/** Bytes of wasm memory on this page; 0 where the engine runs in a worker. */
export function memory() {
  return memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
}

/** Every bad file: name → what came of it, and how much the wasm memory grew meanwhile. */
export async function loadBadFiles() {
  const outcomes = {};
  for (const name of Object.keys(BAD_FILES)) {
    const before = memory();
    const outcome = await attempt(() => load(badFile(name)));
    outcomes[name] = { ...outcome, grown: memory() - before };
  }
  return outcomes;
}

/** The tiny file cut at each `step`th byte of its header, and at `places` seeded places of its data: what was not refused as corrupt. */
export async function loadCutFiles(step, places) {
  const { bytes, dataStart } = writeGguf(tinyModel());
  // The file ends in padding, which nothing needs.
  const dataEnd = bytes.length - 32;
  const random = seeded(11);
  const cuts = Array.from({ length: Math.ceil(dataStart / step) }, (_, at) => at * step);
  for (let place = 0; place < places; place++) cuts.push(dataStart + Math.floor(random() * (dataEnd - dataStart)));
  return { tried: cuts.length, wrong: await cutAt(cuts, (cut) => bytes.slice(0, cut)) };
}

/** A real file cut at seeded places: `inHeader` of its first megabyte, `inData` of the rest. */
export async function loadCutModel(url, inHeader, inData) {
  const file = await (await fetch(url)).blob();
  const random = seeded(13);
  const cuts = Array.from({ length: inHeader }, () => Math.floor(random() * 2 ** 20));
  for (let place = 0; place < inData; place++) cuts.push(2 ** 21 + Math.floor(random() * (file.size - 2 ** 21)));
  return { tried: cuts.length, wrong: await cutAt(cuts, (cut) => file.slice(0, cut)) };
}

async function cutAt(cuts, source) {
  const wrong = [];
  for (const cut of cuts) {
    const outcome = await attempt(() => load(source(cut)));
    if (outcome.code !== "corrupt-file") wrong.push({ cut, ...outcome });
  }
  return wrong;
}

/** A safetensors folder: its files by name, changed one way or another. */
export async function loadBadFolders(folder) {
  const read = async (name) => new Uint8Array(await (await fetch(new URL(name, folder))).arrayBuffer());
  const config = JSON.parse(new TextDecoder().decode(await read("config.json")));
  const weights = await read("model.safetensors");
  const outcomes = {};
  for (const [name, { files, codes }] of Object.entries(badFolders(config, weights))) {
    outcomes[name] = { ...(await attempt(() => load(files))), codes };
  }
  return outcomes;
}

function badFolders(config, weights) {
  const start = 8 + Number(new DataView(weights.buffer).getBigUint64(0, true));
  const header = new TextDecoder().decode(weights.subarray(8, start));
  const folder = (change, bytes = weights) => ({
    "config.json": typeof change === "string" ? change : JSON.stringify({ ...config, ...change }), "model.safetensors": bytes,
  });
  const corrupt = (bytes, ...codes) => ({ files: folder({}, bytes), codes: ["corrupt-file", ...codes] });
  const relabelled = (from, to, ...codes) => corrupt(safetensors(header.replace(from, to), weights.subarray(start)), ...codes);
  const length = new Uint8Array(weights);
  new DataView(length.buffer).setBigUint64(0, 2n ** 62n, true);
  const cuts = [0, 1, 7, 8, 9, 100, start - 1, start, start + 1, start + 1000, weights.length - 1];
  return {
    ...Object.fromEntries(cuts.map((cut) => [`cut at ${cut}`, corrupt(weights.slice(0, cut))])),
    "a huge header": corrupt(length),
    "a header that is no JSON": relabelled("{", "["),
    "an unknown dtype": relabelled('"F32"', '"F33"', "unsupported-quantization"),
    "a shape that is not its size": relabelled(/"shape":\[(\d+)/, '"shape":[1$1'),
    "offsets that overlap": relabelled(/"data_offsets":\[[1-9]\d*/, '"data_offsets":[0'),
    "offsets behind the end": relabelled(/"data_offsets":\[(\d+),(\d+)/, '"data_offsets":[$1,9$2'),
    "a missing tensor": corrupt(withoutLast(JSON.parse(header), weights.subarray(start))),
    "a tensor that the family does not have": relabelled("model.norm.weight", "model.norm.wait", "unsupported-model"),
    "a configuration that is no JSON": { files: folder("{"), codes: ["corrupt-file"] },
    "a configuration that is a list": { files: folder("[]"), codes: ["corrupt-file", "unsupported-model"] },
    "no configuration": { files: { "model.safetensors": weights }, codes: ["missing-file"] },
    "no weights": { files: { "config.json": JSON.stringify(config) }, codes: ["missing-file"] },
    "a family we lack": { files: folder({ architectures: ["MambaForCausalLM"], model_type: "mamba" }), codes: ["unsupported-model"] },
    "another width": { files: folder({ hidden_size: 64 }), codes: ["corrupt-file"] },
    "no heads": { files: folder({ num_attention_heads: 0 }), codes: ["corrupt-file", "unsupported-model"] },
    "a billion layers": { files: folder({ num_hidden_layers: 1e9 }), codes: ["corrupt-file", "unsupported-model"] },
    "an unknown activation": { files: folder({ hidden_act: "swoosh" }), codes: ["unsupported-model"] },
    "an unknown rotary scaling": {
      files: folder({ rope_parameters: { rope_type: "spiral", rope_theta: 1e4 } }), codes: ["unsupported-model"],
    },
  };
}

/** The file without the tensor that lies last in it. */
function withoutLast(header, data) {
  const entries = Object.entries(header).filter(([name]) => name !== "__metadata__");
  entries.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0]);
  const [, { data_offsets: [end] }] = entries.pop();
  return safetensors(JSON.stringify(Object.fromEntries(entries)), data.subarray(0, end));
}

function safetensors(header, data) {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** Prompts, ids and options that no call takes: name → what came of it and what is right. */
export async function callBadly() {
  const outcomes = {};
  for (const [name, [code, call]] of Object.entries(badCalls())) outcomes[name] = { ...(await attempt(call)), codes: [code] };
  return outcomes;
}

function badCalls() {
  const long = Array(CONTEXT + 1).fill(5);
  const file = () => writeGguf(tinyModel()).bytes;
  const session = healthy.createSession();
  const calls = {
    "an empty prompt": ["invalid-argument", () => healthy.generate("")],
    "no ids": ["invalid-argument", () => healthy.generate([])],
    "no messages, in a session": ["invalid-argument", () => session.generate([])],
    "rows without ids": ["invalid-argument", () => healthy.logits([[]])],
    "no rows": ["invalid-argument", () => healthy.logits([])],
    "an id out of range": ["invalid-argument", () => healthy.generate([VOCABULARY])],
    "an id out of range, for logits": ["invalid-argument", () => healthy.logits([[5], [5, VOCABULARY]])],
    "an id out of range, to decode": ["invalid-argument", () => healthy.tokenizer.decode([VOCABULARY])],
    "a prompt longer than the context": ["context-full", () => healthy.generate(long)],
    "text longer than the context": ["context-full", () => healthy.generate("zq ".repeat(CONTEXT))],
    "rows longer than the context": ["context-full", () => healthy.logits([long])],
    "a prompt longer than the context, in a session": ["context-full", () => session.generate(long)],
    "a layer that is not there": ["invalid-argument", () => healthy.attentionMaps([5, 6], { layer: 7 })],
    "a source that is a number": ["invalid-argument", () => azulejo.CausalLM.load(42, { engine })],
    "a source that is nothing": ["invalid-argument", () => azulejo.CausalLM.load(undefined, { engine })],
    "an unknown device": ["invalid-argument", () => azulejo.Engine.create({ device: "toaster" })],
    "threads that are no number": ["invalid-argument", () => azulejo.Engine.create({ threads: NaN })],
    "an unknown type of cache": ["invalid-argument", () => load(file(), { kvCacheType: "q2" })],
    "an unknown quantisation": ["invalid-argument", () => load(file(), { quantize: "q9" })],
  };
  for (const id of [-1, 1.5, NaN, Infinity, 2 ** 40]) {
    calls[`the id ${id}`] = ["invalid-argument", () => healthy.generate([5, id])];
    calls[`the id ${id}, for logits`] = ["invalid-argument", () => healthy.logits([5, id])];
  }
  for (const contextLength of [NaN, 0, -1, 1.5, Infinity, "12"]) {
    calls[`a context length of ${contextLength}`] = ["invalid-argument", () => load(file(), { contextLength })];
  }
  for (const prompt of [42, undefined, {}, [{ role: "user" }], [{ content: "x" }]]) {
    calls[`the prompt ${JSON.stringify(prompt)}`] = ["invalid-argument", () => healthy.generate(prompt)];
  }
  for (const [option, value] of badOptions()) {
    calls[`${option}: ${JSON.stringify(value) ?? value}${Number.isNaN(value) ? " (NaN)" : ""}`] =
      ["invalid-argument", () => healthy.generate(PROMPT, { maxTokens: 1, [option]: value })];
  }
  return calls;
}

function* badOptions() {
  const counts = ["maxTokens", "topK", "logprobs"];
  const penalties = ["repetitionPenalty", "presencePenalty", "frequencyPenalty"];
  for (const option of [...counts, ...penalties, "temperature", "topP", "minP", "seed"]) {
    for (const value of [NaN, "much"]) yield [option, value];
  }
  for (const option of counts) {
    for (const value of [-1, 1.5]) yield [option, value];
  }
  yield ["temperature", -1];
  yield ["temperature", Infinity];
  yield ["topP", -0.5];
  yield ["topP", 1.5];
  yield ["minP", -0.5];
  yield ["minP", 1.5];
  yield ["repetitionPenalty", 0];
  yield ["repetitionPenalty", -1];
  yield ["presencePenalty", Infinity];
  yield ["logitBias", { [VOCABULARY]: 1 }];
  yield ["logitBias", { 5: NaN }];
  yield ["logitBias", { five: 1 }];
  yield ["stop", [1]];
  yield ["stop", "x"];
  yield ["stop", [""]];
}

function load(source, options) {
  return azulejo.CausalLM.load(source, { engine, cache: false, ...options });
}

/** What came of a call: its code and message, how long it took, or that it was let through. */
async function attempt(call) {
  const start = performance.now();
  let timer;
  const hang = new Promise((resolve) => { timer = setTimeout(() => resolve({ code: "(no answer)" }), PATIENCE); });
  const answer = (async () => {
    const made = await call();
    await made?.dispose?.();
    return { code: "(let through)" };
  })().catch((error) => ({
    code: error instanceof azulejo.AzulejoError ? error.code : `(${error?.name}, not an AzulejoError)`, message: error?.message,
  }));
  const outcome = await Promise.race([answer, hang]);
  clearTimeout(timer);
  return { ...outcome, ms: Math.round(performance.now() - start) };
}

/** Notes every wasm memory that is made on this page. */
function watchMemory() {
  for (const name of ["instantiate", "instantiateStreaming"]) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (...given) => {
      const made = await original.apply(WebAssembly, given);
      const { exports } = made.instance ?? made;
      if (exports?.memory instanceof WebAssembly.Memory) memories.push(exports.memory);
      return made;
    };
  }
}
