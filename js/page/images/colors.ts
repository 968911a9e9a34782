// The colours of overlays: one for each class, and a scale from little to much.

import { asError, invalid } from "../../shared/errors.js";

export type Rgb = readonly [red: number, green: number, blue: number];

/** Told apart on photographs, in the order of Tableau's; then whatever hues are left. */
const PALETTE = ["#4e79a7", "#f28e2b", "#e15759", "#59a14f", "#edc948", "#b07aa1", "#76b7b2", "#ff9da7", "#9c755f", "#86bc4d", "#2f4b9c", "#d4417e"];

export function classColor(at: number): Rgb {
  const hex = PALETTE[at];
  if (hex !== undefined) return [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16)) as unknown as Rgb;
  // Steps of the golden angle never come round.
  const hue = ((at * 137.508) % 360) / 60;
  const channel = (shift: number) => {
    const distance = Math.abs(((hue + shift) % 6) - 3);
    return Math.round(70 + 160 * Math.min(1, Math.max(0, distance - 1)));
  };
  return [channel(0), channel(4), channel(2)];
}

export function cssColor([red, green, blue]: Rgb): string {
  return `rgb(${red} ${green} ${blue})`;
}

/** Matplotlib's "inferno" at equal steps: equally many steps of lightness, for eyes of every kind. */
const SCALE: readonly Rgb[] = [
  [0, 0, 4],
  [31, 12, 72],
  [85, 15, 109],
  [136, 34, 106],
  [186, 54, 85],
  [227, 89, 51],
  [249, 140, 10],
  [249, 201, 50],
  [252, 255, 164],
];

/** `value` from 0 to 1, as a colour that is the more opaque the higher: RGBA at `at` of `pixels`. */
export function paintScale(value: number, pixels: Uint8ClampedArray, at: number): void {
  const place = Math.min(1, Math.max(0, value)) * (SCALE.length - 1);
  const low = Math.min(SCALE.length - 2, Math.floor(place));
  const [from, to] = [SCALE[low]!, SCALE[low + 1]!];
  for (let channel = 0; channel < 3; channel++)
    pixels[at + channel] = from[channel]! + (to[channel]! - from[channel]!) * (place - low);
  pixels[at + 3] = 40 + 180 * Math.min(1, Math.max(0, value));
}

export function newImageData(width: number, height: number): ImageData {
  if (typeof ImageData !== "function") throw invalid("there is no browser here to make an ImageData for");
  try {
    return new ImageData(width, height);
  } catch (error) {
    throw asError(error);
  }
}
