// The likeliest classes, with bars.

import type { Classification, DeviceInfo } from "./azulejo/index.js";
import { byId, make } from "./dom.js";
import * as format from "./format.js";
import { deviceName } from "./model-card.js";

const list = byId("classes", HTMLElement);
const timing = byId("timing", HTMLElement);

/** Shows what the model said, and how long it took. */
export function showResult(best: Classification[], milliseconds: number, device: DeviceInfo): void {
  list.replaceChildren(...best.map(row));
  timing.textContent = `${format.quick(milliseconds)} for this picture · ${deviceName(device)}`;
}

/** Says in words why there is nothing. */
export function showNothing(why: string): void {
  list.replaceChildren();
  timing.textContent = why;
}

function row({ label, score }: Classification): HTMLElement {
  const item = make("li");
  const bar = make("span", "bar");
  bar.style.setProperty("--part", String(score));
  item.append(make("span", "label", label), make("span", "score numbers", format.percent(score)), bar);
  return item;
}
