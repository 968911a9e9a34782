// The part of each view where its model is chosen and loaded, made from one template.

/** Attributes that name ids. */
const REFERENCES = ["id", "for", "aria-controls", "aria-describedby", "aria-labelledby"];

/** Fills every [data-panel] of the page. */
export function initPanels(): void {
  for (const section of document.querySelectorAll<HTMLElement>("[data-panel]")) section.append(panel(section));
}

function panel({ dataset }: HTMLElement): DocumentFragment {
  const template = document.getElementById("panel");
  if (!(template instanceof HTMLTemplateElement)) throw new Error("index.html has no template of a panel");
  const copy = document.importNode(template.content, true);
  const prefix = dataset["panel"] ?? "";
  for (const element of copy.querySelectorAll("*")) {
    for (const name of REFERENCES) {
      const ids = element.getAttribute(name);
      if (ids) element.setAttribute(name, ids.split(" ").map((id) => prefix + id).join(" "));
    }
    if (element instanceof HTMLElement && element.dataset["text"]) element.textContent = dataset[element.dataset["text"]] ?? "";
  }
  // A view that opens with its model does not ask first.
  if ("quiet" in dataset) copy.querySelector(".choose")!.setAttribute("hidden", "");
  copy.querySelector("input[type=file]")?.setAttribute("accept", dataset["accept"] ?? "");
  copy.querySelector("input[type=text]")?.setAttribute("placeholder", dataset["example"] ?? "");
  return copy;
}
