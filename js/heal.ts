// The files of one load, and once more where what was kept of them turns out wrong.

import type { Loads } from "./download.js";
import { AzulejoError } from "./errors.js";
import { openFiles, type Files, type Reach } from "./files.js";
import type { WireDownloadOptions, WireSource } from "./protocol.js";

/** Runs `work`, and again from the network if it fails over something that was kept. */
export async function withFiles<T>(
  source: WireSource,
  reach: Omit<Reach, "loads">,
  work: (files: Files) => Promise<T>,
): Promise<T> {
  const loads = newLoads(reach.download);
  const run = async (how: Loads) => work(await openFiles(source, { ...reach, loads: how }));
  try {
    return await run(loads);
  } catch (error) {
    const again = await healed(error, loads);
    if (again === undefined) throw error;
    reach.job.check();
    const { message, where } = error as AzulejoError;
    reach.note(where?.file ?? "", `${message}; reading again from the network`);
    return run(again);
  }
}

function newLoads({ cache = true, revalidate = "always" }: WireDownloadOptions): Loads {
  return { cache, revalidate, fresh: false, silent: new Set(), copies: new Set(), absences: new Set() };
}

/** How to try again; `undefined` where nothing kept can be to blame. */
async function healed(error: unknown, loads: Loads): Promise<Loads | undefined> {
  if (!(error instanceof AzulejoError)) return undefined;
  const { copies, absences } = loads;
  const again = { ...loads, copies: new Set<never>(), absences: new Set<never>() };
  if (/^(corrupt-file|integrity)$/.test(error.code) && copies.size > 0) {
    for (const forget of copies) await forget();
    return { ...again, fresh: true };
  }
  // Perhaps it has come since.
  if (error.code === "missing-file" && absences.size > 0) {
    for (const forget of absences) await forget();
    return again;
  }
  return undefined;
}
