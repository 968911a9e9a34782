// What a model is, from its header alone.

import { defaultEngine } from "./engine.js";
import { invalid } from "./errors.js";
import { checkEngine } from "./load-options.js";
import type { WireModelOptions } from "./protocol.js";
import { sourceOf } from "./source.js";
import type { InspectOptions, ModelSource, ModelSummary } from "./types.js";
import { checkCount, checkOptions, checkSignal } from "./validate.js";

/** What a model is and what it will need, from its header alone (a range request, no weights). */
export async function inspect(source: ModelSource, options: InspectOptions = {}): Promise<ModelSummary> {
  checkOptions(options, "options");
  const { engine, contextLength, batch, signal } = options;
  checkEngine(engine);
  checkSignal(signal, false);
  const model: WireModelOptions = {};
  if (contextLength !== undefined) model.contextLength = checkCount(contextLength, "contextLength", 1);
  if (batch !== undefined) model.batch = checkCount(batch, "batch", 1);
  const given = sourceOf(source);
  if (given.once)
    throw invalid("a stream can be read once: loading it would find nothing left, so inspect does not touch it");
  const connection = await (engine ?? (await defaultEngine())).connect();
  const { wire, feed } = given.open();
  try {
    return await connection.call(
      "inspect",
      { source: wire, options: model, fits: engine !== undefined },
      { signal, feed },
    );
  } finally {
    given.close();
  }
}
