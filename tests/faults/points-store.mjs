// Every call to the private file system and to the locks fails: once, and from there on; and the room ends anywhere.
// However it fails, a load goes on without what it wanted to keep.

import { numbered } from "./injector.mjs";
import { MODELS } from "./models.mjs";
import { throwAsBrowsersDo } from "./opfs.mjs";

const { gguf, folder, sharded } = MODELS;

const PLACES = [
  { model: gguf, state: "first" },
  { model: gguf, state: "first", sync: false },
  { model: gguf, state: "kept" },
  { model: gguf, state: "kept", sync: false },
  { model: gguf, state: "resumed" },
  { model: gguf, state: "changed" },
  { model: folder, state: "first" },
  { model: folder, state: "kept" },
  { model: sharded, state: "first", modes: ["once"] },
];

const QUOTAS = [0, 1, 40, 1000, 20_000, 60_000, 64_000, 65_216, 65_300, 66_000];

export async function points(world) {
  const found = [];
  for (const place of PLACES) {
    const { model, state, sync = true, modes = ["once", "onwards"] } = place;
    await world.begin(place);
    await world.attempt(model);
    const calls = [...world.opfs.injector.log];
    world.end();
    const base = `store/${model.name}-${state}${sync ? "" : "-page"}`;
    for (const mode of modes) for (const [n, call] of calls.entries()) found.push(fails(place, `${base}/${mode}`, n + 1, call, mode));
  }
  for (const quota of QUOTAS) {
    for (const state of ["first", "kept", "resumed", "changed"]) found.push(full({ model: gguf, state }, quota));
  }
  return found;
}

function fails(place, kind, at, call, mode) {
  return {
    ...place,
    kind,
    name: `${kind}/${numbered(at)}-${call}`,
    arm: ({ opfs }) => opfs.injector.arm({ at, onwards: mode === "onwards", fail: throwAsBrowsersDo }),
    reached: ({ opfs }) => opfs.injector.hits > 0,
  };
}

function full(place, quota) {
  const kind = `store/${place.model.name}-${place.state}/room`;
  return { ...place, kind, name: `${kind}/${numbered(quota)}-bytes`, arm: ({ opfs }) => { opfs.quota = quota; } };
}
