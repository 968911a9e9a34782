// Images: what shows one, and what is found in it. Nothing here runs.

import type { BitmapSource } from "./dom-types.js";

/**
 * Anything that shows a picture. A URL, a Blob or an element is decoded by the browser, turned upright as its EXIF
 * orientation says (that of a WebP file only where the browser heeds it, which Chromium does not). Bytes are rows from the
 * top, 8 bits a channel: RGBA (not premultiplied), RGB or grey, told apart by their number. A video gives its current
 * frame. A side has at most 16,384 pixels. What is passed in is only read.
 * Where there is no browser to decode, as under Node, bytes and what has their shape still work.
 */
export type ImageInput =
  | BitmapSource
  | string
  | URL
  | { data: Uint8ClampedArray | Uint8Array; width: number; height: number };

/** Of `ImageClassifier.classify`. */
export interface ClassifyOptions {
  /** How many of the best classes, best first. Default 5; never more than there are. */
  topK?: number | undefined;
  /** An abort rejects with code "aborted", within a batch. */
  signal?: AbortSignal | undefined;
}

/** Of `ImageClassifier.classifyPatches`. */
export interface PatchOptions extends ClassifyOptions {
  /** A window's side in pixels of the image. Default: the model's own input size. */
  size?: number | undefined;
  /** From one window to the next. Default: windows that touch. */
  stride?: number | undefined;
  /** Windows that are classified together. Default 16. */
  batch?: number | undefined;
  /** After each batch, in windows. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Of `ImageClassifier.attention`. */
export interface AttentionOptions {
  /** Default "rollout": through all layers, as Abnar and Zuidema (2020) multiply them up. */
  layer?: number | "rollout" | undefined;
  /** Default "mean": of all heads. */
  head?: number | "mean" | undefined;
  /** An abort rejects with code "aborted". */
  signal?: AbortSignal | undefined;
}

/** A class and how well it fits. */
export interface Classification {
  /** Its name, as the checkpoint or the caller has it. */
  label: string;
  /** Its place in `labels`, from 0. */
  index: number;
  /**
   * A probability: softmax over the classes, or sigmoid where a model judges each for itself (several labels, one class,
   * SigLIP); or the value itself, where the checkpoint is a regression.
   */
  score: number;
}

/** A window of an image and what it shows; in pixels of the image. */
export interface Patch {
  /** From the image's left edge to the window's. */
  x: number;
  /** From the image's top edge to the window's. */
  y: number;
  /** Of the window. */
  width: number;
  /** Of the window. */
  height: number;
  /** The best classes, best first: `topK` of them. */
  best: Classification[];
}

/** What a class looks like in `PatchMap.toImageData`. */
export interface LegendEntry {
  /** The class's name. */
  label: string;
  /** The class's place in `labels`, from 0. */
  index: number;
  /** A CSS colour. */
  color: string;
  /** How many patches show this class before all others. */
  patches: number;
}

/** What the windows of an image show, as a grid. */
export interface PatchMap {
  /** Of windows, from the top. */
  rows: number;
  /** Of windows, from the left. */
  columns: number;
  /** Row by row. The last of a row or column ends at the image's edge, and overlaps the one before if it has to. */
  patches: Patch[];
  /** The classes that came first in some patch, the most frequent first. */
  legend: LegendEntry[];
  /**
   * To be stretched over the image: each patch in its class's colour, the more opaque the surer. With `label`, how likely
   * that class is at each place; a patch that does not have it among its `best` counts as 0. The longer side has at most
   * 1,024 pixels.
   */
  toImageData(options?: { label?: string | undefined }): ImageData;
}

/** How much the model looked at each part of an image. */
export interface Heatmap {
  /** Of patches, from the top. */
  rows: number;
  /** Of patches, from the left. */
  columns: number;
  /** [rows, columns] */
  values: Float32Array;
  /** To be laid over the image: smooth, the more opaque the higher. Default: 16 pixels for each value. */
  toImageData(width?: number, height?: number): ImageData;
}
