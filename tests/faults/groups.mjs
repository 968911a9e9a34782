// The groups of points, by name: each opens what it needs, in a process of its own.

/** A group whose points are trials of a load among stand-ins. */
async function loads(module, { place = "inBrowser", list = "points" } = {}) {
  const { World, ...places } = await import("./world.mjs");
  const { trial } = await import("./trial.mjs");
  const { [list]: points } = await import(module);
  const world = await World.open(places[place]);
  return {
    points: await points(world),
    trial: (point) => trial(world, point),
    memory: () => world.memory(),
    close: () => world.close(),
  };
}

/** What takes longest comes first: groups run two at a time. */
export const GROUPS = {
  "gpu-page": async () => (await import("./points-gpu.mjs")).open("page"),
  "gpu-worker": async () => (await import("./points-gpu.mjs")).open("worker"),
  threads: async () => (await import("./points-threads.mjs")).open(),
  "sequences-node": async () => (await import("./points-sequences.mjs")).underNode(),
  memory: async () => (await import("./points-memory.mjs")).open(),
  "sequences-page": async () => (await import("./points-sequences.mjs")).inPage(),
  wire: async () => (await import("./points-wire.mjs")).open(),
  network: () => loads("./points-network.mjs"),
  store: () => loads("./points-store.mjs"),
  folder: () => loads("./points-store.mjs", { place: "underNode", list: "folderPoints" }),
  lies: () => loads("./points-lies.mjs"),
  damage: () => loads("./points-damage.mjs"),
  abort: () => loads("./points-abort.mjs"),
  pairs: () => loads("./points-pairs.mjs"),
};
