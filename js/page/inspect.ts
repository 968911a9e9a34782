// What a model is, from its header alone.

import { invalid } from "../shared/errors.js";
import type { ModelSource, ModelSummary } from "../shared/types.js";
import { defaultEngine, type Engine } from "./engine.js";
import { checkInspect, type Sorted } from "./load-options.js";
import { hinted } from "./remote.js";
import { orAborted } from "./shared-work.js";
import { checkChoice, sourceOf, type Source } from "./source.js";
import type { InspectOptions } from "./types-load.js";
import { throwIfAborted } from "./validate.js";

/** What a model is and what it will need, from its header alone (a range request, no weights). */
export async function inspect(source: ModelSource, options?: InspectOptions): Promise<ModelSummary> {
  const site = new Error();
  const sorted = checkInspect(options);
  const { download, endpoint, engine, device, signal } = sorted;
  const given = sourceOf(source, endpoint);
  if (given.once)
    throw invalid("a stream can be read once: loading it would find nothing left, so inspect does not touch it");
  checkChoice(given, download);
  const at = engine ?? (await orAborted(defaultEngine(device), signal));
  return inspectAt(at, given, sorted, engine !== undefined || device !== undefined, site);
}

/** @internal `fits`: whether it is told if the device has room for it. */
export async function inspectAt(
  at: Engine,
  source: Source,
  { model, download, signal, fetch }: Pick<Sorted, "model" | "download" | "signal" | "fetch">,
  fits: boolean,
  site: Error,
): Promise<ModelSummary> {
  const connection = await orAborted(at.connect(), signal);
  const { wire, feed } = source.open();
  try {
    const takes = { source: wire, options: model, download, fits };
    const summary = await connection.call("inspect", takes, { signal, feed, fetch, owner: at, site });
    throwIfAborted(signal);
    return summary;
  } catch (error) {
    throw hinted(error, source);
  } finally {
    source.close();
  }
}
