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

/** The locks of workers, which say to the page that they live. */
async function locks() {
  const { held } = await navigator.locks.query();
  return held.map(({ name }) => name).filter((name) => name.startsWith("azulejo "));
}

/** All workers end at once, and the page has heard of it. */
async function kill() {
  const names = new Set(await locks());
  for (const worker of alive) worker.terminate();
  while ((await locks()).some((name) => names.has(name)));
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
