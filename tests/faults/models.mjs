// The models that the faults are tried on, as files of a server; of each another version, whose answers differ.

import { readFileSync } from "node:fs";
import { tinyModel } from "../support/tiny-model.mjs";
import { writeGguf } from "../support/gguf.mjs";
import { readSafetensors, safetensorsParts } from "../support/safetensors.mjs";
import { tokenizerOf } from "../support/text-page.js";

const CASES = new URL("../conformance/", import.meta.url);
const bytesOf = (family, name) => new Uint8Array(readFileSync(new URL(`${family}/${name}`, CASES)));
const json = (value) => new TextEncoder().encode(JSON.stringify(value));

/** A folder of the conformance set, as a record of files. */
const whole = (family) => Object.fromEntries(["config.json", "model.safetensors"].map((name) => [name, bytesOf(family, name)]));
export const bert = () => whole("bert");
export const vit = () => whole("vit");

function gguf(version) {
  const model = tinyModel();
  if (version === 2) model.tensors[0].data.reverse();
  return { "tiny.gguf": writeGguf(model).bytes };
}

/** The tensors of the conformance set's Llama; its second version has other embeddings. */
function llama(version) {
  const tensors = readSafetensors(bytesOf("llama", "model.safetensors"));
  if (version === 2) tensors["model.embed_tokens.weight"].data.reverse();
  return tensors;
}

function around() {
  return { "config.json": bytesOf("llama", "config.json"), "tokenizer.json": json(tokenizerOf("bert")) };
}

const file = (tensors) => new Uint8Array(Buffer.concat(safetensorsParts(tensors)));

/** No chat template and no tokenizer_config.json: what is asked for and not there. */
const folder = (version) => ({ ...around(), "model.safetensors": file(llama(version)) });

function sharded(version) {
  const all = Object.entries(llama(version));
  const third = Math.ceil(all.length / 3);
  const shards = [0, 1, 2].map((n) => all.slice(n * third, (n + 1) * third));
  const name = (n) => `model-0000${n + 1}-of-00003.safetensors`;
  const weight_map = Object.fromEntries(shards.flatMap((tensors, n) => tensors.map(([tensor]) => [tensor, name(n)])));
  return {
    ...around(),
    "model.safetensors.index.json": json({ metadata: {}, weight_map }),
    ...Object.fromEntries(shards.map((tensors, n) => [name(n), file(Object.fromEntries(tensors))])),
  };
}

/** What a load asks for, and can do without. */
const OPTIONAL = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];
export const isOptional = (path) => OPTIONAL.includes(path.split("/").at(-1));

/** As a server has it: each version with names of its own. */
function served(name, files, version) {
  const about = { etag: `"${name}-${version}"`, modified: `Mon, 0${version} Jun 2026 10:00:00 GMT` };
  return Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`${name}/${path}`, { bytes, ...about }]));
}

/** name → { name, address, versions: [files, files] }, paths of the server. */
export const MODELS = Object.fromEntries(Object.entries({ gguf, folder, sharded }).map(([name, make]) => {
  const versions = [1, 2].map((version) => served(name, make(version), version));
  return [name, { name, address: name === "gguf" ? "gguf/tiny.gguf" : `${name}/`, versions }];
}));
