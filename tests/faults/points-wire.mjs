// The worker ends around each message that page and worker exchange while a play is on (wire-play.mjs). What waits rejects;
// what is called next works, in a new worker, and gives the same bit by bit; an engine beside it hears nothing of it.

import { AzulejoError } from "../../dist/index.js";
import { numbered } from "./injector.mjs";
import { Oracle } from "./oracle.mjs";
import { disturbed, openWorld } from "./wire-play.mjs";
import { Tap } from "./wire.mjs";

export async function open() {
  const tap = new Tap();
  const world = await openWorld(tap, { threads: 1 }, () => ({ ...tap.counts }));
  return {
    points: points(world),
    async trial(point) {
      const oracle = new Oracle(AzulejoError);
      await disturbed(world, oracle, point, () => tap.buried());
      return oracle.wrongs;
    },
    memory: () => 0,
    close: () => world.close(),
  };
}

function points({ counts }) {
  const found = [];
  const add = (direction, when, at, onwards) => {
    const kind = `wire/${direction}/${when}${onwards ? "-all" : ""}`;
    found.push({ direction, when, at, onwards, kind, name: `${kind}/${numbered(at)}` });
  };
  for (const [direction, count] of Object.entries(counts))
    for (const when of ["before", "after"])
      for (let at = 1; at <= count; at++) {
        add(direction, when, at, false);
        if (at % 6 === 1) add(direction, when, at, true);
      }
  return found;
}
