// The way from a caller's source to a model in the worker, the same for every class.

import { defaultEngine } from "./engine.js";
import { checkLoad } from "./load-options.js";
import type { Task } from "./protocol.js";
import { RemoteModel, type Recipe } from "./remote.js";
import { sourceOf } from "./source.js";
import type { CausalLMOptions, ModelSource } from "./types.js";

export async function openModel(task: Task, source: ModelSource, options: CausalLMOptions): Promise<RemoteModel> {
  const { model, download } = checkLoad(options);
  const recipe: Recipe = { task, source: sourceOf(source), options: model, download };
  const engine = options.engine ?? (await defaultEngine());
  return RemoteModel.load(engine, recipe, options.signal, options.onProgress);
}
