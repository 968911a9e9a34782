// One's own photos, found by words: each becomes a vector in the space of the texts, and the nearest to the words come first.

import { ImageTextMatcher } from "./azulejo/index.js";
import { announce, byId, make } from "./dom.js";
import { isAbort, showError, type Words } from "./errors.js";
import * as format from "./format.js";
import { Latest } from "./latest.js";
import { Models } from "./models.js";
import { initSources } from "./sources.js";
import { STANDARD } from "./standard.js";

/** More photos than this are left out. */
const MOST_PHOTOS = 2000;
const MOST_FOUND = 12;
/** Pixels: the longer side of a photo in the list. */
const THUMBNAIL = 160;

const WORDS: Words = {
  "unsupported-model": ["This kind of model is not supported here", "Try CLIP or SigLIP, in Hugging Face’s layout."],
  "missing-file": ["A file of the model is missing", "Choose config.json, tokenizer.json, model.safetensors and preprocessor_config.json together."],
  "out-of-memory": ["There is not enough memory for this", "Close other tabs, or take fewer photos."],
};

const section = byId("photos", HTMLElement);
const line = byId("photos-status", HTMLElement);
const query = byId("photos-query", HTMLInputElement);
const progress = byId("photos-progress", HTMLProgressElement);
const stop = byId("stop-photos", HTMLButtonElement);
const clear = byId("clear-photos", HTMLButtonElement);
const found = byId("photos-found", HTMLElement);

interface Photo {
  file: File;
  thumbnail: HTMLCanvasElement;
  vector: Float32Array | undefined;
}

/** A screen reader hears each new line of the status. */
function setStatus(state: "empty" | "loading" | "ready" | "working", text: string): void {
  section.dataset["state"] = state;
  if (line.textContent !== text) line.textContent = text;
}

class Photos {
  private readonly models: Models<ImageTextMatcher>;
  private model: ImageTextMatcher | undefined;
  private photos: Photo[] = [];
  /** Files that no browser can show. */
  private unreadable = 0;
  private reading: AbortController | undefined;
  private readonly asking = new Latest(() => this.find());

  constructor() {
    this.models = new Models({
      prefix: "photos-",
      tasks: ["image-text-matching"],
      standard: STANDARD.photos,
      load: (source, options) => ImageTextMatcher.load(source, options),
      engineOptions: () => ({}),
      facts: () => [],
      status: setStatus,
      words: WORDS,
      next: "photos-query",
      onLoad: (model) => this.setModel(model),
      onUnload: () => this.setModel(undefined),
    });
    initSources("photos-", (choice) => void this.models.open(choice));
    for (const id of ["photos-files", "photos-folder"]) {
      const input = byId(id, HTMLInputElement);
      input.addEventListener("change", () => {
        void this.add([...(input.files ?? [])]);
        input.value = ""; // so that choosing the same again is a change again
      });
    }
    query.addEventListener("input", () => this.asking.again());
    stop.addEventListener("click", () => this.reading?.abort());
    clear.addEventListener("click", () => this.forget());
  }

  /** Another model has another space. */
  private setModel(model: ImageTextMatcher | undefined): void {
    this.reading?.abort();
    this.model = model;
    for (const photo of this.photos) photo.vector = undefined;
    if (model) void this.read();
  }

  private async add(files: File[]): Promise<void> {
    const pictures = files.filter(({ type }) => type.startsWith("image/"));
    for (const file of pictures.slice(0, Math.max(0, MOST_PHOTOS - this.photos.length))) {
      const thumbnail = await small(file).catch(() => undefined);
      if (thumbnail) this.photos.push({ file, thumbnail, vector: undefined });
      else this.unreadable += 1;
    }
    clear.hidden = this.photos.length === 0;
    if (this.model) return this.read();
    void this.models.ready(); // where it is kept it is loaded now, and not before there is something to look at
    setStatus("empty", `${this.counted()}: load a model to find them by words`);
  }

  private forget(): void {
    this.reading?.abort();
    this.photos = [];
    this.unreadable = 0;
    found.replaceChildren();
    clear.hidden = true;
    setStatus(this.model ? "ready" : "empty", "No photos");
    byId("photos-files", HTMLElement).focus();
  }

  /** Makes the vectors that are missing, one photo at a time, so that a query never waits long. */
  private async read(): Promise<void> {
    const { model } = this;
    if (!model || this.reading) return;
    const { signal } = (this.reading = new AbortController());
    try {
      for (let photo = this.next(); photo && !signal.aborted; photo = this.next()) {
        this.showProgress();
        const { data } = await model.embedImage(photo.file, { signal });
        photo.vector = data;
      }
    } catch (error) {
      if (!isAbort(error)) showError(error, "", WORDS);
    }
    this.reading = undefined;
    if (model !== this.model) return void this.read(); // another took over
    this.showProgress();
    this.asking.again();
  }

  private next(): Photo | undefined {
    return this.photos.find(({ vector }) => vector === undefined);
  }

  private counted(): string {
    const { length } = this.photos;
    const photos = `${format.count(length)} ${length === 1 ? "photo" : "photos"}`;
    return this.unreadable > 0 ? `${photos}, and ${format.count(this.unreadable)} that this browser cannot read` : photos;
  }

  private showProgress(): void {
    const done = this.photos.filter(({ vector }) => vector).length;
    const busy = this.reading !== undefined;
    const hadFocus = document.activeElement === stop;
    stop.hidden = progress.hidden = !busy;
    if (hadFocus && !busy) query.focus();
    progress.max = Math.max(1, this.photos.length);
    progress.value = done;
    const left = this.photos.length - done;
    setStatus(busy ? "working" : "ready", busy ? "Looking at the photos" : left > 0 ? `${this.counted()}, ${format.count(left)} not looked at` : this.counted());
  }

  /** The photos that are nearest to the words. */
  private async find(): Promise<void> {
    const { model } = this;
    const words = query.value.trim();
    if (!model || !words) return found.replaceChildren();
    try {
      const { data } = await model.embedText(`a photo of ${words}`);
      const scored = this.photos.flatMap(({ file, thumbnail, vector }) => (vector ? [{ file, thumbnail, score: dot(vector, data) }] : []));
      const best = scored.sort((a, b) => b.score - a.score).slice(0, MOST_FOUND);
      found.dataset["query"] = words;
      found.replaceChildren(...best.map(entry));
      if (best[0]) announce(`Nearest: ${best[0].file.name}`);
    } catch (error) {
      if (!isAbort(error)) showError(error, "", WORDS);
    }
  }
}

function entry({ file, thumbnail, score }: { file: File; thumbnail: HTMLCanvasElement; score: number }): HTMLElement {
  const item = make("li");
  item.append(thumbnail, make("span", "label", file.name), make("span", "score numbers quiet", score.toFixed(3)));
  return item;
}

/** A picture for the list: the photos themselves stay files. */
async function small(file: File): Promise<HTMLCanvasElement> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, THUMBNAIL / Math.max(bitmap.width, bitmap.height));
  const canvas = make("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.setAttribute("role", "img");
  canvas.ariaLabel = file.name;
  canvas.getContext("2d")!.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, at) => sum + value * b[at]!, 0);

/** Makes the part of the images view ready. */
export function startPhotos(): void {
  new Photos();
}
