// The files of one load, and once more where what was kept of them turns out wrong.

import { AzulejoError } from "../../shared/errors.js";
import type { WireDownloadOptions, WireSource } from "../../shared/protocol.js";
import type { Loads } from "./download.js";
import { openFiles, type Files, type Reach } from "./files.js";

/** Runs `work`, and again from the network if it fails over something that was kept. */
export async function withFiles<T>(
  source: WireSource,
  reach: Omit<Reach, "loads" | "signal">,
  work: (files: Files) => Promise<T>,
): Promise<T> {
  const loads = newLoads(reach.download);
  const run = (how: Loads) =>
    untilItFails(reach.job.signal, async (signal) => work(await openFiles(source, { ...reach, signal, loads: how })));
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

/** What is read side by side ends with the first of it that fails: nothing goes on, or holds a lock, for nobody. */
async function untilItFails<T>(outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const inner = new AbortController();
  const stop = () => inner.abort(outer.reason);
  outer.addEventListener("abort", stop);
  try {
    if (outer.aborted) stop();
    return await work(inner.signal);
  } catch (error) {
    inner.abort(error);
    throw error;
  } finally {
    outer.removeEventListener("abort", stop);
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
