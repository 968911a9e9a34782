// The models that the views hold at present, for who wants to look at them.

import type { CausalLM, ModelSummary, TextEmbedder } from "./azulejo/index.js";
import type { Choice } from "./models.js";

export interface Held {
  choice: Choice;
  summary: ModelSummary;
  /** The model itself, if it reads text. */
  reader?: CausalLM | TextEmbedder;
}

/** By the prefix of the view's ids. */
const held = new Map<string, Held>();
const listeners: (() => void)[] = [];

/** A view has another model, or none. */
export function hold(view: string, model: Held | undefined): void {
  if (model) held.set(view, model);
  else held.delete(view);
  for (const listener of listeners) listener();
}

/** All of them, in the order in which they came. */
export const heldModels = (): Held[] => [...held.values()];

/** Calls back whenever there are others. */
export function onHeld(listener: () => void): void {
  listeners.push(listener);
}
