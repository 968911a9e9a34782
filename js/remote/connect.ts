// The way to a model on a server, the same for every class.

import type { Model } from "../page/model.js";
import { asError } from "../shared/errors.js";
import type { Task } from "../shared/protocol.js";
import type { ModelSummary, RemoteOptions } from "../shared/types.js";
import { kserveModel } from "./kserve-model.js";
import { openaiModel } from "./openai-model.js";
import { checkProtocol } from "./options.js";

/** `summary`: of the checkpoint that is there because it did not fit here. */
export async function connect(task: Task, options: RemoteOptions, signal?: AbortSignal, summary?: ModelSummary): Promise<Model> {
  const protocol = checkProtocol(task, options);
  try {
    return await (protocol === "kserve" ? kserveModel : openaiModel)(options, signal, summary);
  } catch (thrown) {
    throw asError(thrown); // What says of itself something that nobody foresaw.
  }
}
