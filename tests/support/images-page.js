// In the page: the same picture in every form that a caller may have it, and pictures that are wrong.

/** An opaque picture whose every pixel differs from its neighbours, as ImageData. */
export function pattern(width, height) {
  const image = new ImageData(width, height);
  for (let at = 0; at < image.data.length; at += 4) {
    const place = at / 4;
    const [x, y] = [place % width, Math.floor(place / width)];
    image.data.set([(x * 255) / width, (y * 255) / height, (x * 37 + y * 91) % 256, 255], at);
  }
  return image;
}

export function canvasOf(image, canvas = new OffscreenCanvas(image.width, image.height)) {
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

export const pngOf = (image) => canvasOf(image).convertToBlob({ type: "image/png" });

export async function elementOf(url, { crossOrigin } = {}) {
  const element = new Image();
  if (crossOrigin !== undefined) element.crossOrigin = crossOrigin;
  element.src = url;
  await element.decode();
  return element;
}

/** Kind → an input that shows exactly the pixels of `image`. */
export async function exactKinds(image) {
  const { width, height } = image;
  const blob = await pngOf(image);
  const url = URL.createObjectURL(blob);
  const page = Object.assign(document.createElement("canvas"), { width, height });
  const rgb = image.data.filter((_, at) => at % 4 !== 3);
  const dataUrl = await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(blob);
  });
  return {
    "ImageData": image,
    "RGBA, clamped": { data: image.data, width, height },
    "RGBA in the middle of a buffer": { data: inTheMiddle(image.data), width, height },
    "RGB": { data: new Uint8Array(rgb), width, height },
    "a canvas": canvasOf(image, page),
    "an OffscreenCanvas": canvasOf(image),
    "an ImageBitmap": await createImageBitmap(image),
    "a Blob": blob,
    "a File": new File([blob], "picture.png", { type: "image/png" }),
    "a Blob without a type": new Blob([blob]),
    "a string": url,
    "a URL": new URL(url),
    "a data: URL": dataUrl,
    "an <img>": await elementOf(url),
    "an <image> of an SVG": await svgImage(url, width, height),
    "a VideoFrame": new VideoFrame(canvasOf(image), { timestamp: 0 }),
  };
}

function inTheMiddle(data) {
  const wide = new Uint8Array(data.length + 20);
  wide.set(data, 9);
  return wide.subarray(9, 9 + data.length);
}

async function svgImage(url, width, height) {
  const name = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(name, "svg");
  const image = document.createElementNS(name, "image");
  const loaded = new Promise((resolve) => image.addEventListener("load", resolve, { once: true }));
  for (const [key, value] of Object.entries({ href: url, width, height })) image.setAttribute(key, value);
  svg.append(image);
  document.body.append(svg);
  await loaded;
  return image;
}

/** A video that shows `image`, as its codec and the browser's colours leave it. */
export async function videoOf(image) {
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  const video = Object.assign(document.createElement("video"), { muted: true, srcObject: canvas.captureStream() });
  const shown = new Promise((resolve) => video.addEventListener("loadeddata", resolve, { once: true }));
  canvasOf(image, canvas);
  await video.play();
  await shown;
  return video;
}

// ---------------------------------------------------------------- files made by hand

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

function chunk(type, data) {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  let crc = ~0;
  for (const byte of bytes.subarray(4, 8 + data.length)) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  view.setUint32(8 + data.length, ~crc);
  return bytes;
}

/** A PNG of 8 bits a channel; `colorType` as PNG numbers them: 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA. */
export async function writePng({ width, height, data }, colorType) {
  const stride = data.length / height;
  const lines = new Uint8Array(height * (1 + stride));
  for (let y = 0; y < height; y++) lines.set(data.subarray(y * stride, (y + 1) * stride), y * (1 + stride) + 1);
  const packed = new Response(new Blob([lines]).stream().pipeThrough(new CompressionStream("deflate")));
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8);
  header.setUint8(9, colorType);
  const chunks = [
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("IDAT", new Uint8Array(await packed.arrayBuffer())),
    chunk("IEND", new Uint8Array()),
  ];
  return new Blob([Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10), ...chunks], { type: "image/png" });
}
