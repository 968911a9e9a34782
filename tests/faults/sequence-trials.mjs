// A sequence of a seed, tried; where it goes wrong, with as few of its steps as still do.

import { AzulejoError } from "../../dist/index.js";
import { Oracle } from "./oracle.mjs";
import { Run, sequence } from "./sequences.mjs";

/** So often a sequence is tried again without some of its steps. */
const TRIES = 60;

/** `world`: what the sequences' `Run` takes. */
export async function trial(world, seed) {
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
