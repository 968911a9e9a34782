// A large image, window by window: where the windows are, and the map of what they show.

import { invalid } from "../../shared/errors.js";
import type { Classification, LegendEntry, Patch, PatchMap } from "../../shared/types.js";
import { optionsOf } from "../options.js";
import { checkText } from "../validate.js";
import { classColor, cssColor, newImageData, paintScale, type Rgb } from "./colors.js";

export interface Windows {
  rows: number;
  columns: number;
  /** Row by row. */
  at(index: number): { x: number; y: number; width: number; height: number };
}

/** More would be a mistake: each costs a pass through the model. */
const MOST_PATCHES = 1 << 20;

interface Size {
  width: number;
  height: number;
}

/**
 * Windows of `size` (of the whole image, where that is smaller) moved by `stride`, so that they cover the image: the last
 * ones end at its edge, and where the image is no multiple of the stride they overlap their neighbours.
 */
export function windowsOf(image: Size, size: Size, stride: Size): Windows {
  const width = Math.min(size.width, image.width);
  const height = Math.min(size.height, image.height);
  const columns = Math.ceil((image.width - width) / stride.width) + 1;
  const rows = Math.ceil((image.height - height) / stride.height) + 1;
  if (rows * columns > MOST_PATCHES)
    throw invalid(`that would be ${rows} × ${columns} patches, and ${MOST_PATCHES} are the most: take a larger stride`);
  return {
    rows,
    columns,
    at(index) {
      const x = Math.min((index % columns) * stride.width, image.width - width);
      const y = Math.min(Math.floor(index / columns) * stride.height, image.height - height);
      return { x, y, width, height };
    },
  };
}

/** The longer side of an overlay. */
const MOST_PIXELS = 1024;
/** So many classes have a colour each for good; of more, the frequent ones get those that differ most. */
const FEW_CLASSES = 12;

const readPaint = /* @__PURE__ */ optionsOf<{ label?: string | undefined }>("toImageData", { label: checkText });

export class Patches implements PatchMap {
  readonly rows: number;
  readonly columns: number;
  readonly patches: Patch[];
  readonly legend: LegendEntry[];
  readonly #image: Size;
  readonly #labels: readonly string[];
  readonly #colors = new Map<number, Rgb>();

  constructor(image: Size, windows: Windows, best: Classification[][], labels: readonly string[]) {
    this.rows = windows.rows;
    this.columns = windows.columns;
    this.patches = best.map((best, index) => ({ ...windows.at(index), best }));
    this.#image = image;
    this.#labels = labels;
    const first = count(best.flatMap(([first]) => (first === undefined ? [] : [first])));
    this.legend = first.map(({ label, index, patches }, order) => {
      const color = classColor(labels.length <= FEW_CLASSES ? index : order);
      this.#colors.set(index, color);
      return { label, index, color: cssColor(color), patches };
    });
  }

  toImageData(options?: { label?: string | undefined }): ImageData {
    const paint = this.#painter(readPaint(options).label);
    const scale = Math.min(1, MOST_PIXELS / Math.max(this.#image.width, this.#image.height));
    const width = Math.max(1, Math.round(this.#image.width * scale));
    const height = Math.max(1, Math.round(this.#image.height * scale));
    const image = newImageData(width, height);
    const columns = nearest(this.patches.slice(0, this.columns).map((patch) => patch.x + patch.width / 2), width, this.#image.width);
    const rows = nearest(
      Array.from({ length: this.rows }, (_, row) => this.patches[row * this.columns]!).map((patch) => patch.y + patch.height / 2),
      height,
      this.#image.height,
    );
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at += 4) paint(this.patches[rows[y]! * this.columns + columns[x]!]!, image.data, at);
    }
    return image;
  }

  #painter(label: string | undefined): (patch: Patch, pixels: Uint8ClampedArray, at: number) => void {
    if (label === undefined) {
      return ({ best: [first] }, pixels, at) => {
        if (first === undefined) return;
        pixels.set(this.#colors.get(first.index)!, at);
        pixels[at + 3] = 60 + 140 * first.score;
      };
    }
    if (!this.#labels.includes(label)) throw invalid(`the model has no label ${JSON.stringify(label)}`);
    return ({ best }, pixels, at) => {
      const found = best.find((each) => each.label === label);
      paintScale(found?.score ?? 0, pixels, at);
    };
  }
}

/** The most frequent first; of equals, the lower index. */
function count(found: Classification[]): { label: string; index: number; patches: number }[] {
  const counts = new Map<number, { label: string; index: number; patches: number }>();
  for (const { label, index } of found) {
    const entry = counts.get(index);
    if (entry === undefined) counts.set(index, { label, index, patches: 1 });
    else entry.patches++;
  }
  return [...counts.values()].sort((a, b) => b.patches - a.patches || a.index - b.index);
}

/** For each pixel of `pixels` over `length`, which of the ascending `centres` is nearest. */
function nearest(centres: number[], pixels: number, length: number): number[] {
  let at = 0;
  return Array.from({ length: pixels }, (_, pixel) => {
    const place = ((pixel + 0.5) * length) / pixels;
    while (at + 1 < centres.length && centres[at + 1]! - place < place - centres[at]!) at++;
    return at;
  });
}
