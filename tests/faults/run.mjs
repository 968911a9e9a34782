// Runs the points of one group in this process, for its parent (scripts/faults.mjs), which hears of each as it ends:
// node tests/faults/run.mjs GROUP '{"all": …, "only": …}'

import { GROUPS } from "./groups.mjs";
import { chosen } from "./sample.mjs";

const [name, options] = [process.argv[2], JSON.parse(process.argv[3])];
const tell = (message) => process.send(message);

// Nobody hears any more what is found.
process.on("disconnect", () => process.exit(1));

/** What nobody caught is the fault of the point that runs. */
let stray = [];
process.on("unhandledRejection", (error) => stray.push(`an unhandled rejection: ${error?.stack ?? error}`));
process.on("uncaughtException", (error) => stray.push(`an uncaught exception: ${error?.stack ?? error}`));

const group = await GROUPS[name]().catch((error) => {
  console.error(error);
  process.exit(1);
});
const points = chosen(group.points, options);
tell({ kind: "points", of: group.points.length, count: points.length });
for (const point of points) {
  tell({ kind: "begins", name: point.name });
  const wrongs = await watched(point);
  tell({ kind: "ends", name: point.name, wrongs });
}
await group.close();
process.exit(0);

/** The point's trial; where wasm's memory has grown, again: what grows at each run is never freed. */
async function watched(point) {
  stray = [];
  let wrongs = [];
  for (let run = 0; run < 3; run++) {
    const before = await group.memory();
    wrongs = [...await group.trial(point)];
    await new Promise((resolve) => setImmediate(resolve));
    wrongs.push(...stray);
    if (wrongs.length > 0 || (await group.memory()) <= before) return wrongs;
  }
  return ["wasm's memory grows each time"];
}
