// Which points run: all, those that are named, or a sample that is the same at each run.

import { createHash } from "node:crypto";

/** One of so many points is in the sample, of those that take long (`slow`) fewer, and the first of each kind. */
const ONE_OF = 13;
const ONE_OF_SLOW = 52;

/** `only`: the beginning of a name. */
export function chosen(points, { all = false, only }) {
  if (only !== undefined) return points.filter(({ name }) => name.startsWith(only));
  if (all) return points;
  const kinds = new Set();
  return points.filter(({ name, kind, slow }) => {
    const isFirst = !kinds.has(kind);
    kinds.add(kind);
    return isFirst || createHash("sha1").update(name).digest().readUInt32BE() % (slow ? ONE_OF_SLOW : ONE_OF) === 0;
  });
}
