// How a model cuts a picture: which part of it it sees (most see all, some crop), in how many patches.

import type { ImageClassifier, ModelSummary } from "./azulejo/index.js";
import type { PatchInput } from "./spec.js";
import type { Grid } from "./stage.js";

/** What the model takes. */
export function inputOf(summary: ModelSummary): PatchInput {
  return summary.spec.stacks[0]!.input as PatchInput;
}

/** The patches, and the size that pictures get before they are cut. */
export interface Cut extends Grid {
  height: number;
  width: number;
}

/** The shorter side of the pictures that ask. What is cropped depends on a picture's shape, not on its size. */
const SHORT = 128;

/**
 * Asks the model itself, with pictures of the same shape whose brightness tells the place: black, white, and rising from
 * left to right and from top to bottom.
 */
export async function cutOf(model: ImageClassifier, { width, height }: { width: number; height: number }): Promise<Cut> {
  const { patch } = inputOf(model.summary);
  const scale = SHORT / Math.min(width, height);
  // No wider than 16 times its height: of a longer strip the middle will do.
  const [across, down] = [width, height].map((side) => Math.round(Math.min(side * scale, 16 * SHORT))) as [number, number];
  const probe = (level: (x: number, y: number) => number) => {
    const data = new Uint8Array(across * down);
    for (let y = 0, at = 0; y < down; y++) for (let x = 0; x < across; x++) data[at++] = 255 * level(x, y);
    return { data, width: across, height: down };
  };
  const probes = [probe(() => 0), probe(() => 1), probe((x) => (x + 0.5) / across), probe((_, y) => (y + 0.5) / down)];
  const { data, dims } = await model.pixels(probes);
  const [, channels = 1, rows = 1, columns = 1] = dims;
  const value = (image: number, row: number, column: number) => data[(image * channels * rows + row) * columns + column] ?? 0;
  const black = value(0, 0, 0);
  const place = (image: number, row: number, column: number) => (value(image, row, column) - black) / (value(1, 0, 0) - black);
  const x = extent((column) => place(2, 0, column), columns);
  const y = extent((row) => place(3, row, 0), rows);
  const [patchRows, patchColumns] = [Math.floor(rows / patch[0]), Math.floor(columns / patch[1])];
  // What is left beside the last whole patch falls under the table.
  const at = {
    x: x.from * width,
    y: y.from * height,
    width: ((x.to - x.from) * width * patchColumns * patch[1]) / columns,
    height: ((y.to - y.from) * height * patchRows * patch[0]) / rows,
  };
  return { rows: patchRows, columns: patchColumns, at, height: rows, width: columns };
}

/** From where to where, as parts of the whole, from the places of the pixels. Those at the edge are blurred. */
function extent(place: (pixel: number) => number, pixels: number): { from: number; to: number } {
  const [first, last] = [Math.floor(pixels / 4), Math.ceil((3 * pixels) / 4) - 1];
  if (last <= first) return { from: 0, to: 1 };
  const step = (place(last) - place(first)) / (last - first);
  const from = place(first) - (first + 0.5) * step;
  const to = from + pixels * step;
  // The levels are 256: less than two of them is no crop.
  return from > 0.008 && to < 0.992 ? { from, to } : { from: 0, to: 1 };
}
