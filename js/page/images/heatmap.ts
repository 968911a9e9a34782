// Values on a coarse grid, and the smooth picture of them.

import type { Heatmap } from "../../shared/types.js";
import { checkSide } from "../validate.js";
import { newImageData, paintScale } from "./colors.js";

/** Pixels for each value, where the caller does not say. */
const SCALE = 16;

export class Grid implements Heatmap {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;

  /** `values`: [rows, columns] */
  constructor(rows: number, columns: number, values: Float32Array) {
    this.rows = rows;
    this.columns = columns;
    this.values = values;
  }

  toImageData(width = SCALE * this.columns, height = SCALE * this.rows): ImageData {
    const image = newImageData(checkSide(width, "width"), checkSide(height, "height"));
    const [low, high] = rangeOf(this.values);
    // Where all are alike nothing stands out.
    const scale = high > low ? 1 / (high - low) : 0;
    const across = Array.from({ length: width }, (_, x) => between(x, width, this.columns));
    for (let y = 0, at = 0; y < height; y++) {
      const down = between(y, height, this.rows);
      for (let x = 0; x < width; x++, at += 4) {
        const value = this.#at(down, across[x]!);
        paintScale((value - low) * scale, image.data, at);
      }
    }
    return image;
  }

  /** Bilinear. */
  #at(down: Between, across: Between): number {
    const row = (at: number) => {
      const start = at * this.columns;
      const first = this.values[start + across.first]!;
      return first + (this.values[start + across.second]! - first) * across.part;
    };
    const first = row(down.first);
    return first + (row(down.second) - first) * down.part;
  }
}

/** A place between the centres of two neighbours; at the edge both are the same. */
interface Between {
  first: number;
  second: number;
  /** How far from the first to the second, 0 to 1. */
  part: number;
}

function between(pixel: number, pixels: number, cells: number): Between {
  const place = Math.min(cells - 1, Math.max(0, ((pixel + 0.5) * cells) / pixels - 0.5));
  const first = Math.floor(place);
  return { first, second: Math.min(cells - 1, first + 1), part: place - first };
}

function rangeOf(values: Float32Array): [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}
