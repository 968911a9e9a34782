// What an address asks for: ?model=hf:org/name/file.gguf&prompt=… A model is offered, never fetched unasked.

import { choiceOf } from "./sources.js";
import type { Choice } from "./models.js";

/** Longer prompts than this are cut: an address may hold anything. */
const LONGEST_PROMPT = 8000;

export interface Asked {
  model: Choice | undefined;
  prompt: string;
}

/** What the present address asks for; that a model's address is none is said. */
export function askedByLink(): Asked {
  const query = new URLSearchParams(location.search);
  const model = query.get("model");
  return { model: model === null ? undefined : choiceOf(model.trim()), prompt: (query.get("prompt") ?? "").slice(0, LONGEST_PROMPT) };
}
