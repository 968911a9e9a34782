// Where a model may come from besides the default: a file dialog, a drop, an address.

import type { ModelSource } from "./azulejo/index.js";
import { byId } from "./dom.js";
import { showProblem } from "./errors.js";
import type { Choice } from "./models.js";

/** Chromium's way to a dropped folder; elsewhere a folder's files are dropped or chosen together. */
type WithHandle = DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> };

/** What a drop carried: files, and the handle of a folder or of the only file where the browser gives one. */
export interface Dropped {
  files: File[];
  handle: Promise<FileSystemHandle | null> | undefined;
}

/** Listens to a file dialog and an address field, whose ids begin with `prefix`. */
export function initSources(prefix: string, open: (choice: Choice) => void): void {
  const input = byId(`${prefix}file`, HTMLInputElement);
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    input.value = ""; // so that choosing the same file again is a change again
    if (files.length > 0) open(fromFiles(files));
  });
  const url = byId(`${prefix}url`, HTMLInputElement);
  byId(`${prefix}url-form`, HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const choice = choiceOf(url.value.trim());
    if (choice) open(choice);
    else url.focus();
  });
}

/** Listens to drops on the whole page. */
export function initDrop(onDrop: (dropped: Dropped) => unknown): void {
  const cover = byId("drop", HTMLElement);
  const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    cover.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) cover.hidden = true;
  });
  addEventListener("drop", (event) => {
    cover.hidden = true;
    if (!carriesFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    const item: WithHandle | undefined = event.dataTransfer.items[0];
    // The handle must be asked for before the event is over.
    const handle = files.length === 1 ? item?.getAsFileSystemHandle?.() : undefined;
    onDrop({ files, handle });
  });
}

/** Whether a drop is a folder, or files of a model. */
export async function holdsModel({ files, handle }: Dropped): Promise<boolean> {
  const entry = await handle?.catch(() => null);
  return entry?.kind === "directory" || files.some(({ name }) => /\.(gguf|safetensors|json)$/i.test(name));
}

/** A model out of a drop. */
export async function fromDrop({ files, handle }: Dropped): Promise<Choice> {
  const entry = await handle?.catch(() => null); // refused: then the file itself will do
  if (entry?.kind === "directory") return { source: entry as FileSystemDirectoryHandle, name: entry.name };
  return fromFiles(files);
}

function fromFiles(files: File[]): Choice {
  const [first] = files;
  // One of the files of a folder, alone, is a folder that lacks the others.
  const ofFolder = /\.(json|safetensors)$/i.test(first?.name ?? "");
  const source: ModelSource = files.length === 1 && first && !ofFolder ? first : files;
  return { source, name: first ? displayName(first.name) : "no file" };
}

/** Checks an address in so far as the page can tell; the rest is the loader's business. */
export function choiceOf(address: string): Choice | undefined {
  if (/^hf:[^/]+\/.+/.test(address)) return { source: address, name: displayName(address.slice(3)) };
  try {
    const url = new URL(address, location.href);
    if (address && /^https?:$/.test(url.protocol)) return { source: url.href, name: displayName(url.pathname) };
  } catch {
    // Not an address: said below, as for an empty field.
  }
  showProblem(
    "invalid-argument",
    "That is no address of a model",
    address ? `“${address}” is neither a web address nor a hub address.` : "The address is empty.",
    "Enter one like https://example.org/model.gguf or hf:organisation/name/file.gguf.",
  );
  return undefined;
}

/** The last part of a path, without its ending. */
function displayName(path: string): string {
  const parts = path.split("/").filter(Boolean);
  return decode(parts[parts.length - 1] ?? path).replace(/\.gguf$/i, "");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
