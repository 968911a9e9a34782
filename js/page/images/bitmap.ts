// Pixels out of a bitmap, through a small canvas.

import { asError, AzulejoError } from "../../shared/errors.js";
import { Breath } from "../../shared/jobs.js";
import { release } from "../../shared/platform.js";

/** How much is drawn at once: some milliseconds, and a canvas that every device has room for. */
const MOST_PIXELS = 1 << 20;

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/**
 * Reads rectangles of a bitmap. The canvas keeps colours multiplied by their alpha and rounded: what comes out differs
 * from the file where something is transparent, but not by a single step once it lies over white, for there the same
 * product is rounded.
 */
export class BitmapReader {
  readonly #bitmap: ImageBitmap;
  /** One for all rectangles: whole canvases would wait for the garbage collector. */
  #context?: Context;

  constructor(bitmap: ImageBitmap) {
    this.#bitmap = bitmap;
  }

  /**
   * RGBA, [height, width, 4], in bands of rows between which the page's thread is free. Throws a SecurityError where the
   * page may not see the pixels.
   */
  async read(x: number, y: number, width: number, height: number): Promise<Uint8Array<ArrayBuffer>> {
    const most = Math.max(1, Math.min(height, Math.floor(MOST_PIXELS / width)));
    const context = this.#contextOf(width, most);
    if (most === height) return this.#band(context, x, y, width, height);
    const pixels = newPixels(width, height);
    const breath = new Breath(4);
    for (let row = 0; row < height; row += most) {
      const rows = Math.min(most, height - row);
      const band = this.#band(context, x, y + row, width, rows);
      pixels.set(band, 4 * width * row);
      release([band.buffer]);
      await breath.take();
    }
    return pixels;
  }

  #band(context: Context, x: number, y: number, width: number, height: number): Uint8Array<ArrayBuffer> {
    context.clearRect(0, 0, width, height);
    context.drawImage(this.#bitmap, x, y, width, height, 0, 0, width, height);
    return new Uint8Array(context.getImageData(0, 0, width, height).data.buffer);
  }

  /** In the page's memory rather than the GPU's: it is read more than drawn. */
  #contextOf(width: number, height: number): Context {
    const kept = this.#context?.canvas;
    if (kept !== undefined && kept.width >= width && kept.height >= height) return this.#context!;
    const canvas =
      typeof OffscreenCanvas === "function"
        ? new OffscreenCanvas(width, height)
        : Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true }) as Context | null;
    if (context === null) throw new AzulejoError("out-of-memory", "the browser has no canvas left to draw on");
    context.imageSmoothingEnabled = false;
    return (this.#context = context);
  }
}

/** RGBA, [height, width, 4]: of the largest pictures a gigabyte, which not every page has. */
export function newPixels(width: number, height: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(4 * width * height);
  } catch (error) {
    throw asError(error);
  }
}
