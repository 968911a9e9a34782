// Pictures as the tensor that a server's model takes: of its size, over white, normalised.

import type { Picture } from "../shared/protocol.js";

/** What a KServe model's input says of itself. */
export interface ImageInputSpec {
  name: string;
  datatype: "FP32" | "UINT8";
  /** [rows, channels, height, width], or with the channels last. */
  channelsLast: boolean;
  channels: 1 | 3;
  height: number;
  width: number;
}

/**
 * [rows, channels, height, width] or [rows, height, width, channels]. Floats are (value / 255 − mean) / std, channel by
 * channel; bytes are as they are. The whole picture becomes the model's size: bilinear, each pixel the mean of those that it
 * covers where it gets smaller, as Pillow's `resize` has it, but without its rounding in between.
 */
export function tensorOf(pictures: Picture[], { datatype, channelsLast, channels, height, width }: ImageInputSpec, mean: number[], std: number[]): number[] {
  const plane = height * width;
  const values = new Array<number>(pictures.length * channels * plane);
  for (const [row, picture] of pictures.entries()) {
    const resized = resize(onWhite(picture, channels), picture, channels, width, height);
    for (let at = 0; at < plane; at++) {
      for (let channel = 0; channel < channels; channel++) {
        const level = resized[at * channels + channel]!;
        const value = datatype === "UINT8" ? Math.round(level) : Math.fround((level / 255 - mean[channel]!) / std[channel]!);
        values[row * channels * plane + (channelsLast ? at * channels + channel : channel * plane + at)] = value;
      }
    }
  }
  return values;
}

/** [height, width, channels]; one channel is the brightness that ITU-R 601-2 gives a colour, as Pillow's "L". */
function onWhite({ data, width, height }: Picture, channels: 1 | 3): Float64Array {
  const levels = new Float64Array(width * height * channels);
  for (let at = 0; at < width * height; at++) {
    const alpha = data[4 * at + 3]! / 255;
    const [red, green, blue] = [0, 1, 2].map((channel) => data[4 * at + channel]! * alpha + 255 * (1 - alpha));
    if (channels === 1) levels[at] = 0.299 * red! + 0.587 * green! + 0.114 * blue!;
    else levels.set([red!, green!, blue!], 3 * at);
  }
  return levels;
}

function resize(levels: Float64Array, from: { width: number; height: number }, channels: number, width: number, height: number): Float64Array {
  const across = weightsOf(from.width, width);
  const narrow = new Float64Array(from.height * width * channels);
  for (let y = 0; y < from.height; y++)
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < channels; channel++)
        narrow[(y * width + x) * channels + channel] = sum(across[x]!, (at) => levels[(y * from.width + at) * channels + channel]!);
  const down = weightsOf(from.height, height);
  const resized = new Float64Array(height * width * channels);
  for (let y = 0; y < height; y++)
    for (let at = 0; at < width * channels; at++) resized[y * width * channels + at] = sum(down[y]!, (row) => narrow[row * width * channels + at]!);
  return resized;
}

interface Weights {
  first: number;
  weights: number[];
}

const sum = ({ first, weights }: Weights, valueAt: (at: number) => number) => weights.reduce((total, weight, at) => total + weight * valueAt(first + at), 0);

/** A triangle over each new pixel, as wide as what it covers. */
function weightsOf(from: number, to: number): Weights[] {
  const scale = from / to;
  const reach = Math.max(1, scale);
  return Array.from({ length: to }, (_, at) => {
    const centre = (at + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const end = Math.min(from, Math.floor(centre + reach + 0.5));
    const weights = Array.from({ length: end - first }, (_, k) => Math.max(0, 1 - Math.abs(first + k + 0.5 - centre) / reach));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}
