// The way from a caller's source to a model in the worker, or where that has no room for it on a server: the same for
// every class.

import { checkProtocol } from "../remote/options.js";
import { invalid } from "../shared/errors.js";
import type { Task } from "../shared/protocol.js";
import type { ModelSource } from "../shared/types.js";
import { callback } from "./connection.js";
import { defaultEngine, type Engine } from "./engine.js";
import { inspectAt } from "./inspect.js";
import { checkLoad, type Sorted } from "./load-options.js";
import type { Model } from "./model.js";
import { RemoteModel } from "./remote.js";
import { connectTo } from "./servers.js";
import { orAborted } from "./shared-work.js";
import { checkChoice, sourceOf, type Source } from "./source.js";
import type { CausalLMOptions } from "./types-load.js";

export async function openModel(task: Task, source: ModelSource, options?: CausalLMOptions): Promise<Model> {
  const site = new Error();
  const sorted = checkLoad(options, task === "causal-lm");
  const { model, download, endpoint, engine, device, signal, fetch, onProgress, fallback } = sorted;
  if (fallback !== undefined) checkProtocol(task, fallback);
  const from = sourceOf(source, endpoint);
  checkChoice(from, download);
  const at = engine ?? (await orAborted(defaultEngine(device), signal));
  const elsewhere = fallback && (await onServer(task, at, from, sorted, site));
  return elsewhere ?? RemoteModel.load(at, { task, source: from, options: model, download, fetch, onProgress }, signal, site);
}

/** The fallback's, if the engine's device has no room for it. */
async function onServer(task: Task, at: Engine, from: Source, sorted: Sorted, site: Error): Promise<Model | undefined> {
  const { signal, onProgress, fallback } = sorted;
  if (from.once) throw invalid("fallback: a stream can be read once, and whether it fits has to be read first");
  const summary = await inspectAt(at, from, sorted, true, site);
  if (summary.fits !== false) return undefined;
  const model = await connectTo(task, fallback!, signal, summary);
  callback(onProgress, { stage: "ready", loadedBytes: 0, note: `${summary.why}: the model runs at ${model.server!.url}` });
  return model;
}
