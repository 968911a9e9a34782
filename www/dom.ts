// The three things this page asks of the DOM more than once.

/** The element with this id, of the kind the caller expects. */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`index.html has no ${kind.name} with id "${id}"`);
  return element;
}

/** A new element with a class and text. Text is text: nothing on this page is ever parsed as HTML. */
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, className = "", text = ""): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

const announcer = byId("announcer", HTMLElement);

/** Has a screen reader say this once, politely. */
export function announce(text: string): void {
  announcer.textContent = text;
}
