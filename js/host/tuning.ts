// Ways of the GPU's kernels, measured once on the GPU that there is, and kept beside the downloads.

import { openShelf } from "../shared/store/open-shelf.js";
import { readJson, type Shelf } from "../shared/store/shelf.js";
import { idOf } from "../shared/store/store.js";
import type { GpuKnobs, KernelTuning } from "../shared/types.js";
import { version } from "../shared/version.js";
import type { GpuInfo, Tuning } from "../simd/azulejo.js";

type Wish = GpuKnobs["tuning"];

/** What is asked of the core. */
export interface Tuner {
  measure(): Promise<Tuning | undefined>;
  /** Whether it is a measurement. */
  choose(tuning: Tuning): boolean;
}

/** Whether to tune where nobody says: neither a GPU that is made out to be another, nor a processor. */
export function wishOf(gpu: GpuKnobs | undefined, isSoftware: boolean): Wish {
  const { without = [], basicLimits, integerDot, profile, lanes, tuning } = gpu ?? {};
  const isForced = without.length > 0 || basicLimits || integerDot || profile || lanes !== undefined;
  return tuning ?? !(isForced || isSoftware);
}

/** In place of a measurement that has not come to its end: how many were begun. */
interface Begun {
  begun: number;
}
/** A driver may die of one, which is no reason to do without the GPU for ever. */
const MOST_BEGUN = 2;

/**
 * Has the core choose what was kept of this GPU, or else what it measures now. Where nothing can be kept each page would
 * measure again, and where the queue says late that it is done nobody can: then nothing is chosen.
 */
export async function tune(tuner: Tuner, gpu: GpuInfo, wish: Wish): Promise<KernelTuning | undefined> {
  if (wish === undefined || wish === false || gpu.isLate) return undefined;
  const shelf = await openShelf();
  const name = `${idOf(["tuning", version, gpu.description, ...gpu.features].join("\n"))}.json`;
  if (wish !== "anew") {
    if (shelf === undefined) return undefined;
    const kept = await readJson(shelf, name);
    if (kept !== undefined && tuner.choose(kept as Tuning)) return { ...(kept as Tuning), kept: true };
    const begun = 1 + ((kept as Begun | null | undefined)?.begun ?? 0);
    if (begun > MOST_BEGUN) return undefined;
    await write(shelf, name, { begun });
  }
  const measured = await tuner.measure();
  if (measured === undefined) return undefined;
  if (shelf !== undefined) await write(shelf, name, measured);
  return { ...measured, kept: false };
}

/** Where it fails nothing is kept. */
async function write(shelf: Shelf, name: string, what: Tuning | Begun): Promise<void> {
  await shelf.put(name, new TextEncoder().encode(JSON.stringify(what))).catch(() => {});
}
