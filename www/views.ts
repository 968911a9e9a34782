// The page's two views, the chat and the pictures; the address says which: #chat, #images.

import { byId } from "./dom.js";

export type View = "chat" | "images";

const NAMES: Record<View, string> = { chat: "chat", images: "images" };
const scrolled: Record<View, number> = { chat: 0, images: 0 };

const current = (): View => document.body.dataset["view"] as View;
const isView = (name: string): name is View => name in NAMES;

/** Shows the view of the address now and whenever it changes, and tells. The result says which is shown. */
export function initViews(onShow: (view: View) => void): () => View {
  const follow = () => {
    const name = location.hash.slice(1) || "chat";
    // Other fragments are places within a view.
    if (isView(name) && name !== current()) show(name, onShow);
  };
  addEventListener("hashchange", follow);
  follow();
  return current;
}

function show(view: View, onShow: (view: View) => void): void {
  scrolled[current()] = scrollY;
  document.body.dataset["view"] = view;
  document.title = `azulejo · ${NAMES[view]}`;
  for (const part of document.querySelectorAll<HTMLElement>("[data-part-of]")) part.hidden = part.dataset["partOf"] !== view;
  for (const link of byId("views", HTMLElement).querySelectorAll("a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  scrollTo(0, scrolled[view]);
  onShow(view);
}
