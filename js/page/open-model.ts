// The way from a caller's source to a model in the worker, the same for every class.

import { invalid } from "../shared/errors.js";
import type { Task } from "../shared/protocol.js";
import type { ModelSource } from "../shared/types.js";
import { defaultEngine } from "./engine.js";
import { checkLoad } from "./load-options.js";
import { RemoteModel } from "./remote.js";
import { orAborted } from "./shared-work.js";
import { sourceOf, type Source } from "./source.js";
import type { CausalLMOptions } from "./types-load.js";

export async function openModel(task: Task, source: ModelSource, options?: CausalLMOptions): Promise<RemoteModel> {
  const site = new Error();
  const { model, download, endpoint, engine, device, signal, fetch, onProgress } = checkLoad(options, task === "causal-lm");
  const from = sourceOf(source, endpoint);
  checkChoice(from, download);
  const at = engine ?? (await orAborted(defaultEngine(device), signal));
  return RemoteModel.load(at, { task, source: from, options: model, download, fetch, onProgress }, signal, site);
}

/** One file leaves nothing to choose. */
export function checkChoice({ single }: Source, { file, quant }: { file?: string; quant?: string }): void {
  if (!single || (file === undefined && quant === undefined)) return;
  throw invalid(`${file === undefined ? "quant" : "file"} says which of several files is meant, and the source is one file`);
}
