// The page's views: the chat, the pictures, the search, the anatomy; the address says which: #chat, #images, …

import { announce, byId } from "./dom.js";

const VIEWS = ["chat", "images", "search", "anatomy"] as const;
export type View = (typeof VIEWS)[number];

/** How far down each was when it was left. */
const scrolled = new Map<View, number>();

const current = (): View => document.body.dataset["view"] as View;
/** Whether it is this one that the user looks at. */
export const isShown = (view: View): boolean => view === current();
const isView = (name: string): name is View => (VIEWS as readonly string[]).includes(name);

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
  scrolled.set(current(), scrollY);
  document.body.dataset["view"] = view;
  document.title = `azulejo · ${view}`;
  for (const part of document.querySelectorAll<HTMLElement>("[data-part-of]")) part.hidden = part.dataset["partOf"] !== view;
  for (const link of byId("views", HTMLElement).querySelectorAll("a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  announce(document.querySelector(`.top p[data-part-of=${view}]`)?.textContent ?? ""); // the focus stays on the link
  scrollTo(0, scrolled.get(view) ?? 0);
  onShow(view);
}
