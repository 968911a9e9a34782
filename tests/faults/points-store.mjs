// Every call to the private file system and to the locks, or under Node to the file system, fails: once, and from there
// on; and the room ends anywhere. However it fails, a load goes on without what it wanted to keep.

import { throwAsSystemsDo } from "./folder.mjs";
import { numbered } from "./injector.mjs";
import { MODELS } from "./models.mjs";
import { throwAsBrowsersDo } from "./opfs.mjs";

const { gguf, folder, sharded } = MODELS;

const IN_BROWSER = [
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
const UNDER_NODE = [
  { model: gguf, state: "first" },
  { model: gguf, state: "kept" },
  { model: gguf, state: "resumed" },
  { model: gguf, state: "changed" },
  { model: folder, state: "first", modes: ["once"] },
  { model: folder, state: "kept", modes: ["once"] },
];
const QUOTAS = [0, 1, 40, 1000, 20_000, 60_000, 64_000, 65_216, 65_300, 66_000];

/** Of the browser's private file system. */
export async function points(world) {
  const rooms = QUOTAS.flatMap((quota) => ["first", "kept", "resumed", "changed"].map((state) => full({ model: gguf, state }, quota)));
  return [...await calls(world, "store", IN_BROWSER, throwAsBrowsersDo), ...rooms];
}

/** Of the folder under Node. */
export const folderPoints = (world) => calls(world, "folder", UNDER_NODE, throwAsSystemsDo);

async function calls(world, group, places, fail) {
  const found = [];
  for (const place of places) {
    const { model, state, sync = true, modes = ["once", "onwards"] } = place;
    await world.begin(place);
    await world.attempt(model);
    const log = [...world.store.injector.log];
    world.end();
    const base = `${group}/${model.name}-${state}${sync ? "" : "-page"}`;
    for (const mode of modes)
      for (const [n, call] of log.entries()) found.push(fails(place, `${base}/${mode}`, n + 1, call, mode, fail));
  }
  return found;
}

function fails(place, kind, at, call, mode, fail) {
  return {
    ...place,
    kind,
    name: `${kind}/${numbered(at)}-${call}`,
    arm: ({ store }) => store.injector.arm({ at, onwards: mode === "onwards", fail }),
    reached: ({ store }) => store.injector.hits > 0,
  };
}

function full(place, quota) {
  const kind = `store/${place.model.name}-${place.state}/room`;
  return { ...place, kind, name: `${kind}/${numbered(quota)}-bytes`, arm: ({ store }) => { store.quota = quota; } };
}
