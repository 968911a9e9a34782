// A picture before a model: what every part of the images view looks at.

import type { ImageClassifier } from "./azulejo/index.js";
import type { Picture } from "./pictures.js";
import { cutOf, type Cut } from "./seen.js";

/** The page keeps no more of a picture than this a side, where only a coarse look is wanted. */
const ENOUGH = 1024;

export class Scene {
  private cutting: Promise<Cut> | undefined;
  private shrinking: Promise<ImageBitmap> | undefined;

  constructor(
    readonly model: ImageClassifier,
    readonly picture: Picture,
  ) {}

  /** How the model cuts the picture. */
  cut(): Promise<Cut> {
    return (this.cutting ??= cutOf(this.model, this.picture.bitmap));
  }

  /** The picture, made smaller if it is large: a map of attention is coarse, and a slider asks for many. */
  small(): Promise<ImageBitmap> {
    const { bitmap } = this.picture;
    const scale = ENOUGH / Math.max(bitmap.width, bitmap.height);
    if (scale >= 1) return Promise.resolve(bitmap);
    const [resizeWidth, resizeHeight] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
    return (this.shrinking ??= createImageBitmap(bitmap, { resizeWidth, resizeHeight, resizeQuality: "high" }));
  }
}
