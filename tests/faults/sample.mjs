// Which groups and points run: all, those that are named, or a sample: the same at each run, but of those that take long others at
// each commit.

import { createHash } from "node:crypto";
import { PART, PARTS } from "../../scripts/sample.mjs";

/** One of so many points is in the sample, and the first of each kind; of those that take long (`slow`) fewer. */
const ONE_OF = 13;
const ONE_OF_SLOW = 120;

/** Of these, which take long to open, a sample has one at each commit. */
const ALIKE = [["gpu-page", "gpu-worker"], ["sequences-node", "sequences-page"]];

/** Of this one a sample has nothing: when a thread's end is heard is the system's choice, and may be a call later than at the run before. */
const NO_SAMPLE = ["threads"];

/** Which groups: `names` are all of them. */
export function chosenGroups(names, { all = false, only }) {
  if (only !== undefined) return names.filter((name) => name.startsWith(only.split("/")[0]));
  if (all) return names;
  return names.filter((name) => !NO_SAMPLE.includes(name) && ALIKE.every((alike) => !alike.includes(name) || name === alike[PART % alike.length]));
}

/** Which of a group's points. `only`: the beginning of a name. */
export function chosen(points, { all = false, only }) {
  if (only !== undefined) return points.filter(({ name }) => name.startsWith(only));
  if (all) return points;
  const kinds = new Set();
  return points.filter(({ name, kind, slow }, at) => {
    if (slow) return at % ONE_OF_SLOW === (ONE_OF_SLOW / PARTS) * PART;
    const isFirst = !kinds.has(kind);
    kinds.add(kind);
    return isFirst || createHash("sha1").update(name).digest().readUInt32BE() % ONE_OF === 0;
  });
}
