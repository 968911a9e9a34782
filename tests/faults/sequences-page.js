// In the page of the sequences: the files that their models are of, and workers that end when they are told to.

import { trial } from "./sequence-trials.mjs";
import { learn } from "./sequences.mjs";

const alive = new Set();

globalThis.Worker = class extends Worker {
  constructor(...given) {
    super(...given);
    alive.add(this);
  }

  terminate() {
    super.terminate();
    alive.delete(this);
  }
};

/** The locks of workers, which say that they live; `pending`: those by which the page would hear of their end. */
async function locks(state) {
  const all = await navigator.locks.query();
  return all[state].map(({ name }) => name).filter((name) => name.startsWith("azulejo "));
}

/** Looks often, but not for ever. */
async function until(holds) {
  for (let look = 0; look < 20_000 && !(await holds()); look++);
}

/** All workers end at once, and the page has heard of it. One that only starts is waited for: of its end no browser tells. */
async function kill() {
  await until(async () => (await locks("pending")).length >= alive.size);
  const names = new Set(await locks("held"));
  for (const worker of alive) worker.terminate();
  await until(async () => !(await locks("held")).some((name) => names.has(name)));
}

async function bytesOf(path) {
  return new Uint8Array(await (await fetch(path)).arrayBuffer());
}

async function folder(family) {
  const names = ["config.json", "model.safetensors"];
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await bytesOf(`/tests/conformance/${family}/${name}`)])));
}

async function open() {
  const files = { lm: await bytesOf("/lm.gguf"), bert: await folder("bert"), vit: await folder("vit") };
  return { files, url: "https://models.example/lm.gguf", right: await learn(files), kill };
}

let world;

export async function trialOf(seed) {
  world ??= await open();
  return trial(world, seed);
}
