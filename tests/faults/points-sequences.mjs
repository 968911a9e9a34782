// Sequences of calls by seed; one that goes wrong is told as short as it can be made.

import { AzulejoError } from "../../dist/index.js";
import { endless } from "../api-models.mjs";
import { numbered } from "./injector.mjs";
import { bert, vit } from "./models.mjs";
import { Oracle } from "./oracle.mjs";
import { learn, Run, sequence } from "./sequences.mjs";
import { Tap } from "./wire.mjs";

const SEEDS = 500;
/** So often a sequence is tried again without some of its steps. */
const TRIES = 60;

export async function open() {
  const tap = new Tap();
  tap.install();
  const files = { lm: endless(), bert: bert(), vit: vit() };
  const world = { files, url: "https://models.example/lm.gguf", right: await learn(files), kill: () => killAll(tap) };
  const kind = "sequences/node";
  return {
    points: Array.from({ length: SEEDS }, (_, seed) => ({ seed, kind, slow: true, name: `${kind}/${numbered(seed)}` })),
    trial: ({ seed }) => trial(world, seed),
    memory: () => 0,
    close() {},
  };
}

async function trial(world, seed) {
  const steps = sequence(seed);
  const wrongs = await tried(world, steps);
  if (wrongs.length === 0) return wrongs;
  const { least, words } = await shrunk(world, steps, wrongs);
  return [`seed ${seed}, ${least.length} steps: ${JSON.stringify(least)}`, ...words];
}

async function tried(world, steps) {
  const oracle = new Oracle(AzulejoError);
  try {
    await new Run(world, oracle).run(steps);
  } catch (error) {
    oracle.wrong(`the sequence itself failed: ${error.stack}`);
  }
  return oracle.wrongs;
}

/** As few of the steps as still go wrong. */
async function shrunk(world, steps, wrongs) {
  let [least, words] = [steps, wrongs];
  let tries = 0;
  for (let at = least.length - 1; at >= 0 && tries < TRIES; at--, tries++) {
    const fewer = least.filter((_, place) => place !== at);
    const still = await tried(world, fewer);
    if (still.length > 0) [least, words] = [fewer, still];
  }
  return { least, words };
}

/** All workers end at once. */
async function killAll(tap) {
  await Promise.all([...tap.alive].map((worker) => worker.terminate()));
}
