// Random weights in each of ggml's formats. A block of a quantised format is random bytes but for its scales, which are
// written so that the weights have the standard deviation that is asked for, and a mean of about nothing.

import type { Random } from "./random.js";

export interface WeightFormat {
  /** ggml's number for it. */
  id: number;
  /** Weights in a block, and its bytes. */
  elements: number;
  bytes: number;
  /** Where a block has scales of 16 bits, each as a multiple of the standard deviation. */
  scales?: [offset: number, factor: number][];
}

/** Scale and minimum of a format whose weights are `scale × level + minimum`, with the levels around `middle`. */
const affine = (at: number, factor: number, middle: number): [number, number][] => [[at, factor], [at + 2, -middle * factor]];
/** The same of K-quants, whose minimum is subtracted, and multiplied by one that is as random as the scale. */
const affineK = (at: number, factor: number, middle: number): [number, number][] => [[at, factor], [at + 2, middle * factor]];

/** The usual ones first: where the time is short, these have been looked at. The factors are 1 / the standard deviation of what random bytes mean there, with a scale of 1. */
export const FORMATS: Record<string, WeightFormat> = {
  Q8_0: { id: 8, elements: 32, bytes: 34, scales: [[0, 1 / 73.9]] },
  Q4_0: { id: 2, elements: 32, bytes: 18, scales: [[0, 1 / 4.6]] },
  Q4_K: { id: 12, elements: 256, bytes: 144, scales: affineK(0, 1 / 258, 7.5) },
  Q6_K: { id: 14, elements: 256, bytes: 210, scales: [[208, 1 / 1367]] },
  F16: { id: 1, elements: 1, bytes: 2 },
  F32: { id: 0, elements: 1, bytes: 4 },
  Q4_1: { id: 3, elements: 32, bytes: 20, scales: affine(0, 1 / 4.6, 7.5) },
  Q5_K: { id: 13, elements: 256, bytes: 176, scales: affineK(0, 1 / 526, 15.5) },
  BF16: { id: 30, elements: 1, bytes: 2 },
  MXFP4: { id: 39, elements: 32, bytes: 17 },
  Q3_K: { id: 11, elements: 256, bytes: 110, scales: [[108, 1 / 43]] },
  Q2_K: { id: 10, elements: 256, bytes: 84, scales: affineK(80, 1 / 13.9, 1.5) },
  Q5_0: { id: 6, elements: 32, bytes: 22, scales: [[0, 1 / 9.2]] },
  Q5_1: { id: 7, elements: 32, bytes: 24, scales: affine(0, 1 / 9.2, 15.5) },
  IQ4_NL: { id: 20, elements: 32, bytes: 18, scales: [[0, 1 / 70]] },
  IQ4_XS: { id: 23, elements: 256, bytes: 136, scales: [[0, 1 / 1246]] },
  Q1_0: { id: 41, elements: 128, bytes: 18, scales: [[0, 1]] },
  TQ1_0: { id: 34, elements: 256, bytes: 54, scales: [[52, 1 / 0.82]] },
  TQ2_0: { id: 35, elements: 256, bytes: 66, scales: [[64, 1 / 0.71]] },
};

export function bytesOf(format: string, elements: number): number {
  const { elements: each, bytes } = formatOf(format);
  if (elements % each !== 0) throw new Error(`${format} has blocks of ${each} weights: ${elements} do not fill them`);
  return (elements / each) * bytes;
}

export function formatOf(name: string): WeightFormat {
  const format = FORMATS[name];
  if (!format) throw new Error(`no format is called ${name}`);
  return format;
}

/** Fills `out` with weights around `mean`, which only formats without blocks may have other than 0. */
export function fillWeights(out: Uint8Array, name: string, mean: number, spread: number, random: Random): void {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  if (name === "F32") for (let at = 0; at < out.length; at += 4) view.setFloat32(at, random.around(mean, spread), true);
  else if (name === "F16") for (let at = 0; at < out.length; at += 2) view.setUint16(at, half(random.around(mean, spread)), true);
  else if (name === "BF16") for (let at = 0; at < out.length; at += 2) view.setUint16(at, bits(random.around(mean, spread)) >>> 16, true);
  else fillBlocks(out, view, name, spread, random);
}

function fillBlocks(out: Uint8Array, view: DataView, name: string, spread: number, random: Random): void {
  const { bytes, scales = [] } = formatOf(name);
  random.fill(out);
  if (name === "MXFP4") {
    // One scale for each block, a power of two: 127 is 1. Random levels have a standard deviation of 2.93.
    const exponent = 127 + Math.round(Math.log2(spread / 2.93));
    for (let at = 0; at < out.length; at += bytes) out[at] = exponent - (at % 2);
    return;
  }
  // Of two bits, 3 is 2 times the scale, and nobody's weight: it becomes a 1, which is nothing.
  if (name === "TQ2_0") for (let at = 0; at < out.length; at++) out[at]! ^= (out[at]! & (out[at]! >> 1) & 0x55) << 1;
  // Scales differ from block to block, as those of real weights do.
  const halves = scales.map(([offset, factor]) => ({ offset, values: VARIED.map((part) => half(part * factor * spread)) }));
  for (let at = 0, block = 0; at < out.length; at += bytes, block++) {
    for (const { offset, values } of halves) view.setUint16(at + offset, values[block % values.length]!, true);
  }
}
const VARIED = [1, 0.8, 1.15, 0.95, 1.2, 0.85, 1.1];

const scratch = new DataView(new ArrayBuffer(4));
function bits(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

/** The bits of a number of 16 bits, the small ones without a leading 1 as well: a scale of Q6_K may be one. */
export function half(value: number): number {
  const all = bits(value);
  const sign = (all >>> 16) & 0x8000;
  if (Math.abs(value) < 2 ** -14) return sign | Math.round(Math.abs(value) * 2 ** 24);
  return sign | (((all & 0x7fffffff) + 0x1000 - 0x38000000) >>> 13);
}
