// The caller gives up: at every call to the store, at every request, at every piece that comes.

import { numbered } from "./injector.mjs";
import { MODELS } from "./models.mjs";
import { byPage } from "./points-network.mjs";

const { gguf, folder } = MODELS;
const PLACES = [
  ...["first", "kept", "resumed", "changed"].map((state) => ({ model: gguf, state })),
  { model: folder, state: "first" },
  byPage({ model: gguf, state: "first" }),
];

export async function points(world) {
  const found = [];
  for (const place of PLACES) {
    await world.begin(place);
    world.server.injector.arm({ at: Infinity });
    await world.attempt(place.model);
    const { store, server } = world;
    const counts = { call: store.injector.log.length, piece: server.injector.log.length, request: server.log.length };
    world.end();
    for (const [what, count] of Object.entries(counts))
      for (let n = 1; n <= count; n++) found.push(aborts(place, what, n));
  }
  return found;
}

/** At the `n`th call, piece or request. */
function aborts(place, what, n) {
  const kind = `abort/${place.model.name}-${place.state}${place.by ?? ""}/${what}`;
  return {
    ...place,
    kind,
    name: `${kind}/${numbered(n)}`,
    arm({ store, server }, controller) {
      const fail = () => controller.abort();
      if (what === "call") store.injector.arm({ at: n, fail });
      if (what === "piece") server.injector.arm({ at: n, fail });
      if (what === "request") server.twist = (answer, _, at) => (at === n && controller.abort(), answer);
    },
    reached: ({ store, server }) =>
      (what === "request" ? server.log.length >= n : (what === "piece" ? server : store).injector.hits > 0),
    codes: ["aborted"],
    keeps: ["kept", "changed"].includes(place.state),
  };
}
