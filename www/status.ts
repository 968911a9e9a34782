// What the page is doing, in one line and as body[data-state].

import { byId } from "./dom.js";

export type State = "empty" | "loading" | "ready" | "answering";

const line = byId("status", HTMLElement);

/** Says what is going on. A screen reader hears each new line, so this is for changes, not for progress. */
export function setStatus(state: State, text: string): void {
  document.body.dataset["state"] = state;
  if (line.textContent !== text) line.textContent = text;
}

/** What was said last. */
export function state(): State {
  return document.body.dataset["state"] as State;
}
