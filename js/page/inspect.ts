// What a model is, from its header alone.

import { invalid } from "../shared/errors.js";
import type { ModelSource, ModelSummary } from "../shared/types.js";
import { defaultEngine } from "./engine.js";
import { checkInspect } from "./load-options.js";
import { checkChoice } from "./open-model.js";
import { hinted } from "./remote.js";
import { orAborted } from "./shared-work.js";
import { sourceOf } from "./source.js";
import type { InspectOptions } from "./types-load.js";
import { throwIfAborted } from "./validate.js";

/** What a model is and what it will need, from its header alone (a range request, no weights). */
export async function inspect(source: ModelSource, options?: InspectOptions): Promise<ModelSummary> {
  const site = new Error();
  const { model, download, endpoint, engine, device, signal, fetch } = checkInspect(options);
  const given = sourceOf(source, endpoint);
  if (given.once)
    throw invalid("a stream can be read once: loading it would find nothing left, so inspect does not touch it");
  checkChoice(given, download);
  const at = engine ?? (await orAborted(defaultEngine(device), signal));
  const connection = await orAborted(at.connect(), signal);
  const { wire, feed } = given.open();
  try {
    const takes = { source: wire, options: model, download, fits: engine !== undefined || device !== undefined };
    const summary = await connection.call("inspect", takes, { signal, feed, fetch, owner: at, site });
    throwIfAborted(signal);
    return summary;
  } catch (error) {
    throw hinted(error, given);
  } finally {
    given.close();
  }
}
