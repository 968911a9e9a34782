// Pixels out of a bitmap, through a small canvas.

import { asError, AzulejoError } from "./errors.js";
import { Breath } from "./jobs.js";

/** How much is drawn at once: some milliseconds, and a canvas that every device has room for. */
const MOST_PIXELS = 1 << 20;

/**
 * RGBA of a rectangle, [height, width, 4], in bands of rows between which the page's thread is free. The canvas keeps
 * colours multiplied by their alpha and rounded: what comes out differs from the file where something is transparent, but
 * not by a single step once it lies over white, for there the same product is rounded. Throws a SecurityError where the
 * page may not see the pixels.
 */
export async function readBitmap(
  bitmap: ImageBitmap,
  x: number,
  y: number,
  width: number,
  height: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const band = Math.max(1, Math.min(height, Math.floor(MOST_PIXELS / width)));
  const context = contextOf(width, band);
  const pixels = newPixels(width, height);
  const breath = new Breath(4);
  for (let row = 0; row < height; row += band) {
    const rows = Math.min(band, height - row);
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, x, y + row, width, rows, 0, 0, width, rows);
    pixels.set(context.getImageData(0, 0, width, rows).data, 4 * width * row);
    await breath.take();
  }
  return pixels;
}

/** RGBA, [height, width, 4]: of the largest pictures a gigabyte, which not every page has. */
export function newPixels(width: number, height: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(4 * width * height);
  } catch (error) {
    throw asError(error);
  }
}

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** In the page's memory rather than the GPU's: it is read more than drawn. */
function contextOf(width: number, height: number): Context {
  const canvas =
    typeof OffscreenCanvas === "function"
      ? new OffscreenCanvas(width, height)
      : Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true }) as Context | null;
  if (context === null) throw new AzulejoError("out-of-memory", "the browser has no canvas left to draw on");
  context.imageSmoothingEnabled = false;
  return context;
}
