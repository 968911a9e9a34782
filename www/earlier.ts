// The conversations from before, on the empty page: opened, or deleted, on a click.

import { conversations, forget, type Conversation } from "./conversations.js";
import { announce, byId, make } from "./dom.js";

const section = byId("earlier", HTMLElement);
const list = byId("conversations", HTMLElement);
const clear = byId("delete-conversations", HTMLButtonElement);
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

let refresh = (): void => {};
/** Shows them as they are now. */
export const showKept = (): void => refresh();

/** Shows them; `open` is called with one that is chosen, `deleted` with the id of each that went. */
export function initEarlier(open: (conversation: Conversation) => void, deleted: (id: string) => void): void {
  const remove = (ids: string[]) => {
    for (const id of ids) {
      forget(id);
      deleted(id);
    }
    refresh();
    announce(ids.length === 1 ? "Conversation deleted" : "Conversations deleted");
    (section.hidden ? byId("prompt", HTMLElement) : list.querySelector("button"))?.focus();
  };
  refresh = () => showEarlier(open, remove);
  clear.addEventListener("click", () => remove(conversations().map(({ id }) => id)));
  refresh();
}

function showEarlier(open: (conversation: Conversation) => void, remove: (ids: string[]) => void): void {
  const kept = conversations();
  section.hidden = kept.length === 0;
  clear.hidden = kept.length < 2;
  list.replaceChildren(...kept.map((conversation) => {
    const { id, at, said } = conversation;
    const name = said[0]!.question.replace(/\s+/g, " ").slice(0, 80);
    const item = make("li");
    const opens = button(name, () => open(conversation));
    opens.className = "earlier-name";
    opens.dir = "auto";
    const deletes = button("Delete", () => remove([id]));
    deletes.ariaLabel = `Delete: ${name}`;
    item.append(opens, make("span", "quiet numbers", when.format(at)), deletes);
    return item;
  }));
}

function button(label: string, act: () => void): HTMLButtonElement {
  const made = make("button", "", label);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}
