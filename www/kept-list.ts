// What of the models this browser keeps: shown, and deleted on a click.

import { cache } from "./azulejo/index.js";
import { announce, byId, make } from "./dom.js";
import { showError } from "./errors.js";
import * as format from "./format.js";

const details = byId("kept", HTMLDetailsElement);
const hint = byId("kept-hint", HTMLElement);
const list = byId("kept-models", HTMLElement);
const all = byId("delete-kept", HTMLButtonElement);

/** Files that belong together: those of one folder, or one file by itself. */
interface KeptModel {
  name: string;
  urls: string[];
  bytes: number;
  complete: boolean;
}

/** Shows the list whenever it is opened. */
export function initKept(): void {
  details.addEventListener("toggle", () => {
    if (details.open) void show();
  });
  all.addEventListener("click", () => void remove("All models", [undefined]));
}

async function show(): Promise<void> {
  try {
    const [models, { used, quota }] = await Promise.all([keptModels(), cache.size()]);
    hint.textContent = models.length === 0
      ? "No models are kept here. One that is downloaded stays in this browser until it is deleted."
      : `${format.bytes(used)} of models${quota === undefined ? "" : `; the browser lets this site have ${format.bytes(quota)}`}.`;
    list.replaceChildren(...models.map(entry));
    all.hidden = models.length < 2;
  } catch (error) {
    showError(error);
  }
}

async function keptModels(): Promise<KeptModel[]> {
  const models = new Map<string, KeptModel>();
  for (const { url, bytes, complete } of await cache.list()) {
    const { host, pathname } = new URL(url);
    const path = decodeURIComponent(pathname).replace(/^\//, "");
    const name = /\.gguf$/.test(path) ? path : path.replace(/(1_Pooling\/)?[^/]*$/, "");
    const key = `${host}/${name}`;
    const model = models.get(key) ?? { name: shortened(name), urls: [], bytes: 0, complete: true };
    models.set(key, { ...model, urls: [...model.urls, url], bytes: model.bytes + bytes, complete: model.complete && complete });
  }
  return [...models.values()].sort((a, b) => b.bytes - a.bytes);
}

/** A hub's path without its revision; of any other the last part. */
function shortened(path: string): string {
  const hub = /^([^/]+\/[^/]+)\/resolve\/[^/]+\/(.*)$/.exec(path);
  if (hub) return [hub[1], hub[2]].filter(Boolean).join(": ");
  return path.split("/").filter(Boolean).at(-1) ?? path;
}

function entry({ name, urls, bytes, complete }: KeptModel): HTMLElement {
  const item = make("li");
  const button = make("button", "", "Delete");
  button.type = "button";
  button.ariaLabel = `Delete ${name}`;
  button.addEventListener("click", () => void remove(name, urls));
  const what = make("span", "label", `${name}, ${format.bytes(bytes)}${complete ? "" : ", in part"}`);
  item.append(what, button);
  return item;
}

/** Deletes the files of a model, or all; a model that is in use says so. */
async function remove(name: string, urls: (string | undefined)[]): Promise<void> {
  try {
    for (const url of urls) await cache.delete(url);
    announce(`${name}: deleted`);
  } catch (error) {
    showError(error);
  }
  await show();
  details.querySelector("summary")?.focus();
}
