// A large picture, window by window: what to cut, the run and its end, the coloured map with its legend.

import type { Patch, PatchMap } from "./azulejo/index.js";
import { announce, byId, make } from "./dom.js";
import { isAbort } from "./errors.js";
import * as format from "./format.js";
import { CLASSES, type Picture } from "./pictures.js";
import type { Scene } from "./scene.js";
import { inputOf } from "./seen.js";
import type { Stage } from "./stage.js";

const form = byId("patch-controls", HTMLFormElement);
const size = byId("patch-size", HTMLInputElement);
const stride = byId("patch-stride", HTMLInputElement);
const count = byId("patch-count", HTMLElement);
const run = byId("run-patches", HTMLButtonElement);
const stop = byId("stop-patches", HTMLButtonElement);
const progress = byId("patch-progress", HTMLProgressElement);
const score = byId("patch-score", HTMLElement);
const legend = byId("legend", HTMLElement);
const info = byId("patch-info", HTMLElement);

/** The classes that a legend names; the rest are counted. */
const NAMED = 12;
/** Across a picture, unless the user says otherwise: more would take long before they said anything. */
const WINDOWS = 24;
/** More crosses than this would hide the picture. */
const MOST_CROSSES = 400;

export class PatchesView {
  private scene: Scene | undefined;
  private map: PatchMap | undefined;
  private work: AbortController | undefined;
  private active = false;
  /** Shown alone: where this class is likely. */
  private label: string | undefined;
  private selected = 0;

  constructor(
    private readonly stage: Stage,
    private readonly failed: (error: unknown) => void,
    private readonly busy: (text: string) => void,
  ) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.classify();
    });
    stop.addEventListener("click", () => this.work?.abort());
    for (const field of [size, stride]) field.addEventListener("input", () => this.describe());
    stage.canvas.addEventListener("pointermove", (event) => this.point(event));
    stage.canvas.addEventListener("pointerdown", (event) => this.point(event));
    stage.canvas.addEventListener("keydown", (event) => this.walk(event));
  }

  /** Another picture or another model: what ran for the one before ends. */
  setScene(scene: Scene | undefined): void {
    this.work?.abort();
    this.scene = scene;
    this.forget();
    if (!scene) return;
    const [height, width] = inputOf(scene.model.summary).image;
    const { bitmap } = scene.picture;
    const side = Math.max(height, width, Math.ceil(Math.max(bitmap.width, bitmap.height) / WINDOWS));
    size.value = stride.value = String(side);
    this.describe();
  }

  /** Whether the map lies over the picture. */
  setActive(active: boolean): void {
    this.active = active;
    this.paint();
  }

  private async classify(): Promise<void> {
    const { scene } = this;
    if (!scene || this.work) return;
    this.forget();
    const work = (this.work = new AbortController());
    this.running(true);
    const started = performance.now();
    try {
      const map = await scene.model.classifyPatches(scene.picture.bitmap, {
        size: whole(size), stride: whole(stride), topK: 10, signal: work.signal,
        onProgress: (done, total) => {
          progress.max = total;
          progress.value = done;
          this.busy(`${format.count(done)} of ${format.count(total)} windows`);
        },
      });
      if (scene !== this.scene) return;
      this.map = map;
      this.finished(scene, map, performance.now() - started);
    } catch (error) {
      if (scene !== this.scene) return;
      if (isAbort(error)) count.textContent = "Stopped";
      else this.failed(error);
    } finally {
      this.work = undefined;
      this.running(false);
    }
  }

  private running(running: boolean): void {
    const hadFocus = document.activeElement === run || document.activeElement === stop;
    progress.removeAttribute("value");
    run.hidden = running;
    stop.hidden = !running;
    progress.hidden = !running;
    if (hadFocus) (running ? stop : run).focus();
    this.busy(running ? "Classifying windows" : "");
  }

  private finished({ picture }: Scene, map: PatchMap, milliseconds: number): void {
    const each = format.quick(milliseconds / map.patches.length);
    count.textContent = `${windows(map.rows, map.columns)} in ${format.duration(milliseconds)}, ${each} each`;
    const wrong = this.wrong(picture, map);
    if (wrong) {
      const right = map.patches.length - wrong.length;
      score.textContent = `${right} of ${map.patches.length} right (${format.percent(right / map.patches.length)}); the others are crossed out.`;
      score.hidden = false;
      announce(score.textContent);
    } else announce(count.textContent);
    legend.replaceChildren(...this.entries(map));
    legend.hidden = false;
    this.stage.setWalkable(true);
    this.paint();
  }

  /** Windows that show something else than the tile under their middle; undefined where nobody knows what is right. */
  private wrong({ tiles, bitmap }: Picture, map: PatchMap): Patch[] | undefined {
    const labels = this.scene?.model.labels ?? [];
    if (!tiles || CLASSES.some((name, index) => labels[index]?.toLowerCase() !== name.toLowerCase())) return undefined;
    return map.patches.filter(({ x, y, width, height, best }) => {
      const row = tiles[Math.floor(((y + height / 2) / bitmap.height) * tiles.length)];
      return row?.[Math.floor(((x + width / 2) / bitmap.width) * row.length)] !== best[0]?.index;
    });
  }

  private entries({ legend: classes }: PatchMap): HTMLElement[] {
    const items = classes.slice(0, NAMED).map(({ label, color, patches }) => {
      const item = make("li");
      const button = make("button");
      button.type = "button";
      button.ariaPressed = "false";
      const swatch = make("span", "swatch");
      swatch.style.background = color;
      button.append(swatch, make("span", "", label), make("span", "quiet numbers", format.count(patches)));
      button.addEventListener("click", () => this.choose(label));
      button.dataset["label"] = label;
      item.append(button);
      return item;
    });
    if (classes.length > NAMED) items.push(make("li", "quiet", `and ${classes.length - NAMED} classes more`));
    return items;
  }

  private choose(label: string): void {
    this.label = this.label === label ? undefined : label;
    for (const button of legend.querySelectorAll("button")) button.ariaPressed = String(button.dataset["label"] === this.label);
    this.paint();
  }

  private paint(): void {
    const { stage, scene, map, label } = this;
    if (!this.active || !scene || !map) {
      stage.setWalkable(false);
      stage.outline(undefined);
      stage.cross([]);
      info.hidden = true;
      return;
    }
    const { bitmap } = scene.picture;
    const image = map.toImageData(label === undefined ? {} : { label });
    stage.setOverlay({ image, at: { x: 0, y: 0, width: bitmap.width, height: bitmap.height }, smooth: false });
    stage.cross(label === undefined ? (this.wrong(scene.picture, map) ?? []).slice(0, MOST_CROSSES) : []);
    stage.setWalkable(true);
    info.hidden = false;
    info.textContent = "Point at a window, or go there with the arrow keys, to see what it may be.";
  }

  private forget(): void {
    this.map = this.label = undefined;
    this.selected = 0;
    score.hidden = legend.hidden = true;
    this.paint();
    if (this.active) this.stage.setOverlay(undefined);
  }

  /** How many windows it would be, before anything runs. */
  private describe(): void {
    const bitmap = this.scene?.picture.bitmap;
    if (!bitmap || this.work) return;
    const along = (side: number) => Math.ceil((side - Math.min(whole(size), side)) / whole(stride)) + 1;
    count.textContent = windows(along(bitmap.height), along(bitmap.width));
  }

  private point(event: PointerEvent): void {
    if (!this.active || !this.map) return;
    const { x, y } = this.stage.locate(event);
    const { patches, columns, rows } = this.map;
    const column = nearest(x, Array.from({ length: columns }, (_, at) => patches[at]!.x + patches[at]!.width / 2));
    const firsts = Array.from({ length: rows }, (_, at) => patches[at * columns]!);
    const row = nearest(y, firsts.map((patch) => patch.y + patch.height / 2));
    this.select(row * columns + column);
  }

  private walk(event: KeyboardEvent): void {
    if (!this.active || !this.map) return;
    const { columns, rows } = this.map;
    const moves: Record<string, [number, number]> = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const row = Math.min(rows - 1, Math.max(0, Math.floor(this.selected / columns) + move[0]));
    const column = Math.min(columns - 1, Math.max(0, (this.selected % columns) + move[1]));
    this.select(row * columns + column);
  }

  private select(index: number): void {
    const patch = this.map?.patches[index];
    if (!patch) return;
    this.selected = index;
    this.stage.outline(patch);
    const columns = this.map!.columns;
    const where = `Row ${Math.floor(index / columns) + 1}, column ${(index % columns) + 1}`;
    const best = patch.best.slice(0, 3).map(({ label, score }) => `${label} ${format.percent(score)}`);
    info.textContent = `${where}: ${best.join(", ")}`;
  }
}

const windows = (rows: number, columns: number) => `${format.count(rows)} × ${format.count(columns)} = ${format.count(rows * columns)} windows`;

/** A field's whole number, brought into its range. */
function whole(field: HTMLInputElement): number {
  const value = Math.round(field.valueAsNumber);
  return Number.isNaN(value) ? Number(field.defaultValue) : Math.min(Number(field.max), Math.max(Number(field.min), value));
}

function nearest(place: number, centres: number[]): number {
  let best = 0;
  for (const [at, centre] of centres.entries()) if (Math.abs(centre - place) < Math.abs(centres[best]! - place)) best = at;
  return best;
}
