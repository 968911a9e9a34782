// Any `ImageInput`, opened: its size, and the pixels of whatever part of it is wanted.

import { asError, AzulejoError, invalid } from "../../shared/errors.js";
import type { Picture } from "../../shared/protocol.js";
import type { ImageInput } from "../../shared/types.js";
import { absolute, tagOf } from "../source.js";
import { describe, LONGEST_SIDE, throwIfAborted } from "../validate.js";
import { BitmapReader, newPixels } from "./bitmap.js";
import { sizeInHeader } from "./image-size.js";

/** A picture that stays where it is. */
export interface OpenImage {
  readonly width: number;
  readonly height: number;
  /** A rectangle of it, as bytes that are the caller's. */
  read(x: number, y: number, width: number, height: number): Promise<Picture>;
  /** Lets go of what was made for it; what the user passed in stays. */
  close(): void;
}

/** `name` is what messages call it. Rejects with "invalid-argument", "corrupt-file", "network" or "aborted". */
export async function openImage(input: ImageInput, name: string, signal?: AbortSignal): Promise<OpenImage> {
  const given: unknown = input;
  switch (typeof given === "string" ? "URL" : tagOf(given)) {
    case "URL":
      return openBlob(await download(String(given), signal), String(given), signal);
    case "Blob":
    case "File":
      return openBlob(given as Blob, (given as File).name ?? name, signal);
    case "HTMLImageElement":
      checkElement(given as HTMLImageElement, name);
      return decode(given as HTMLImageElement, name, signal, AS_IN_THE_FILE);
    case "HTMLVideoElement":
      if ((given as HTMLVideoElement).readyState < 2)
        throw invalid(`${name}: the video has no frame yet; wait for its event "loadeddata"`);
      return decode(given as HTMLVideoElement, name, signal);
    case "ImageBitmap":
      return openBitmap(given as ImageBitmap, name);
    case "HTMLCanvasElement":
    case "OffscreenCanvas":
      checkSize(given as OffscreenCanvas, name);
      return decode(given as OffscreenCanvas, name, signal);
    case "VideoFrame":
    case "SVGImageElement":
      return decode(given as VideoFrame, name, signal);
  }
  if (ArrayBuffer.isView((given as { data?: unknown } | null | undefined)?.data)) return openRaw(given as Raw, name);
  throw invalid(
    `${name} should be an element, a canvas, a bitmap, a Blob, a URL or { data, width, height }, not ${describe(given)}`,
  );
}

/** Images that go through a model together. */
export const BATCH = 16;

export const listOf = (images: ImageInput | ImageInput[]) => (Array.isArray(images) ? images : [images]);
export const nameOf = (images: ImageInput | ImageInput[], at: number) =>
  Array.isArray(images) ? `images[${at}]` : "image";

/** The whole of a picture. */
export async function readImage(input: ImageInput, name: string, signal?: AbortSignal): Promise<Picture> {
  const image = await openImage(input, name, signal);
  try {
    return await image.read(0, 0, image.width, image.height);
  } finally {
    image.close();
  }
}

function checkSize({ width, height }: { width: number; height: number }, name: string): void {
  if (!(width > 0 && height > 0)) throw invalid(`${name} is ${width} × ${height} pixels: there is nothing to see`);
  if (width > LONGEST_SIDE || height > LONGEST_SIDE)
    throw invalid(`${name} is ${width} × ${height} pixels; a side may have ${LONGEST_SIDE} at most`);
}

// ---------------------------------------------------------------- bytes

type Raw = { data: Uint8Array | Uint8ClampedArray; width: number; height: number };

function openRaw({ data, width, height }: Raw, name: string): OpenImage {
  if (!/^Uint8(Clamped)?Array$/.test(tagOf(data)))
    throw invalid(`${name}.data should be a Uint8Array or a Uint8ClampedArray`);
  for (const [side, length] of Object.entries({ width, height })) {
    if (!Number.isSafeInteger(length) || length < 0)
      throw invalid(`${name}.${side} should be a whole number, not ${describe(length)}`);
  }
  checkSize({ width, height }, name);
  const channels = data.length / (width * height);
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw invalid(
      `${name}.data has ${data.length} bytes; ${width} × ${height} pixels are ${4 * width * height} as RGBA, ` +
        `${3 * width * height} as RGB or ${width * height} as grey`,
    );
  }
  return {
    width,
    height,
    async read(x, y, columns, rows) {
      const pixels = newPixels(columns, rows);
      for (let row = 0; row < rows; row++) {
        const from = channels * ((y + row) * width + x);
        const line = data.subarray(from, from + channels * columns);
        toRgba(line, channels, pixels.subarray(4 * row * columns, 4 * (row + 1) * columns));
      }
      return { data: pixels, width: columns, height: rows };
    },
    close() {},
  };
}

function toRgba(line: Uint8Array | Uint8ClampedArray, channels: 1 | 3 | 4, into: Uint8Array): void {
  if (channels === 4) return into.set(line);
  const [green, blue] = channels === 3 ? [1, 2] : [0, 0];
  for (let at = 0, to = 0; at < line.length; at += channels, to += 4) {
    into[to] = line[at]!;
    into[to + 1] = line[at + green]!;
    into[to + 2] = line[at + blue]!;
    into[to + 3] = 255;
  }
}

// ---------------------------------------------------------------- files

async function download(text: string, signal: AbortSignal | undefined): Promise<Blob> {
  needDecoder();
  const url = absolute(text).href;
  const failed = (why: string, cause?: unknown) => {
    throwIfAborted(signal);
    return new AzulejoError("network", `${shortened(url)}: ${why}`, undefined, { cause });
  };
  let response: Response;
  try {
    response = await fetch(url, { signal: signal ?? null });
  } catch (error) {
    // Browsers do not tell a page which of these it was.
    throw failed(`${(error as Error).message}: the server is not there, or does not allow this page's origin`, error);
  }
  if (!response.ok) throw failed(`the server answered ${response.status} ${response.statusText}`.trim());
  try {
    return await response.blob();
  } catch (error) {
    throw failed(`the connection broke (${(error as Error).message})`, error);
  }
}

/** data: URLs may be as long as their image. */
function shortened(url: string): string {
  return url.length > 200 ? `${url.slice(0, 200)}…` : url;
}

async function openBlob(blob: Blob, name: string, signal: AbortSignal | undefined): Promise<OpenImage> {
  needDecoder();
  const where = shortened(name);
  if (blob.size === 0) throw new AzulejoError("corrupt-file", `${where} is empty`, { file: where });
  // Before the browser makes room for what it claims to be.
  const claimed = await sizeInHeader(blob);
  if (claimed !== undefined) checkSize(claimed, where);
  throwIfAborted(signal);
  if (/^image\/svg/.test(blob.type)) return openDrawing(blob, where, signal);
  return decode(blob, where, signal, AS_IN_THE_FILE);
}

/** `createImageBitmap` takes no SVG that is a Blob; an element does. */
async function openDrawing(blob: Blob, name: string, signal: AbortSignal | undefined): Promise<OpenImage> {
  if (globalThis.document === undefined) throw invalid(`${name}: SVG can be drawn on a page only, not in a worker`);
  const url = URL.createObjectURL(blob);
  try {
    const image = new Image();
    image.src = url;
    await image.decode().catch((error: Error) => {
      throw new AzulejoError("corrupt-file", `${name}: ${error.message}`, { file: name }, { cause: error });
    });
    return await decode(image, name, signal);
  } finally {
    URL.revokeObjectURL(url);
  }
}

function needDecoder(): void {
  if (typeof createImageBitmap !== "function")
    throw invalid("there is no browser here to decode images: give { data, width, height }");
}

// ---------------------------------------------------------------- elements

function checkElement(image: HTMLImageElement, name: string): void {
  if (!image.complete) throw invalid(`${name}: the <img> has not loaded yet; await its decode() first`);
  if (image.currentSrc === "") throw invalid(`${name}: the <img> has no source`);
  if (image.naturalWidth > 0) return checkSize({ width: image.naturalWidth, height: image.naturalHeight }, name);
  throw new AzulejoError("corrupt-file", `${name}: the <img> shows nothing: ${shortened(image.currentSrc)} is not an image`);
}

/** The numbers of the file, not converted to the screen's colours. Browsers heed EXIF's orientation by themselves, Chromium but for WebP. */
const AS_IN_THE_FILE: ImageBitmapOptions = { colorSpaceConversion: "none" };

/** A bitmap of our own, as things are now. What has to be decoded is decoded off the page's thread. */
async function decode(
  source: ImageBitmapSource,
  name: string,
  signal: AbortSignal | undefined,
  options?: ImageBitmapOptions,
): Promise<OpenImage> {
  needDecoder();
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(source, options);
  } catch (thrown) {
    if ((thrown as Error).name === "SecurityError") throw foreign(name, thrown);
    const code = /Blob|File|HTMLImageElement/.test(tagOf(source)) ? "corrupt-file" : "invalid-argument";
    const message = `${name} cannot be decoded: ${(thrown as Error).message}`;
    throw new AzulejoError(code, message, undefined, { cause: thrown });
  }
  const close = () => bitmap.close();
  try {
    throwIfAborted(signal);
    return { ...openBitmap(bitmap, name), close };
  } catch (error) {
    close();
    throw error;
  }
}

function openBitmap(bitmap: ImageBitmap, name: string): OpenImage {
  checkSize(bitmap, name);
  const { width, height } = bitmap;
  const reader = new BitmapReader(bitmap);
  const read: OpenImage["read"] = async (x, y, columns, rows) => {
    try {
      return { data: await reader.read(x, y, columns, rows), width: columns, height: rows };
    } catch (thrown) {
      const { name: kind, message } = thrown as Error;
      if (kind === "SecurityError") throw foreign(name, thrown);
      throw kind === "InvalidStateError" ? invalid(`${name} has been closed: ${message}`) : asError(thrown);
    }
  };
  return { width, height, read, close() {} };
}

function foreign(name: string, cause: unknown): AzulejoError {
  const message =
    `${name} shows something from another origin, which therefore no page may read: have its server send ` +
    'access-control-allow-origin, and give the element crossorigin="anonymous"';
  return new AzulejoError("invalid-argument", message, undefined, { cause });
}
