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

// ---------------------------------------------------------------- models

/** A processor that brings everything to `side` × `side`. */
export const processorOf = (side) => ({
  image_processor_type: "ViTImageProcessor",
  do_resize: true,
  size: { height: side, width: side },
  resample: 2,
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
});

/**
 * A case of tests/conformance as a source: its files, with `processor` as preprocessor_config.json (`null`: none), and
 * the fields of its configuration that `config` has instead (`undefined`: no such field).
 */
export async function sourceOf(family, { processor = processorOf(48), config = {} } = {}) {
  const file = (name) => fetch(`/tests/conformance/${family}/${name}`);
  const read = await (await file("config.json")).json();
  return {
    "config.json": JSON.stringify({ ...read, ...config }),
    "model.safetensors": await (await file("model.safetensors")).blob(),
    ...(processor !== null && { "preprocessor_config.json": JSON.stringify(processor) }),
  };
}

/** The code and the message of what `work` rejects with. */
export const failureOf = (work) => work().then(
  () => ({ code: "none", message: "it did not fail" }),
  ({ name, code, message }) => ({ code: /^(Azulejo|Abort)Error$/.test(name) ? code : name, message }),
);

/**
 * Counts what goes to the workers of this page from now on: for each call of that name, its pictures and their bytes.
 * `heard` is called as each goes, with the worker that it goes to.
 */
export function watchCalls(wanted, heard = () => {}) {
  const calls = [];
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, transfer) {
    if (message?.kind === "call" && message.name === wanted) {
      const { pictures } = message.takes;
      calls.push({ pictures: pictures.length, bytes: pictures.reduce((sum, { data }) => sum + data.length, 0) });
    }
    postMessage.call(this, message, transfer);
    if (message?.kind === "call" && message.name === wanted) heard(this);
  };
  return calls;
}

// ---------------------------------------------------------------- pictures that are wrong

/** What is wrong with it → [the code that says so, words of the message, the input]. */
export async function badPictures(otherOrigin) {
  const image = pattern(40, 30);
  const png = await writePng(image, 6);
  const closedBitmap = await createImageBitmap(image);
  closedBitmap.close();
  const closedFrame = new VideoFrame(canvasOf(image), { timestamp: 0 });
  closedFrame.close();
  const broken = Object.assign(new Image(), { src: "/tests/support/page.html" });
  await broken.decode().catch(() => {});
  const foreign = await elementOf(otherOrigin);
  const tainted = canvasOfElement(foreign);
  const bytes = (count, width, height) => ({ data: new Uint8Array(count), width, height });
  const wide = { width: 20000, height: 1, data: new Uint8Array(20000) };
  const drawing = (text) => new Blob([text], { type: "image/svg+xml" });
  return {
    "an empty file": ["corrupt-file", /empty/, new Blob([])],
    "a file of something else": ["corrupt-file", /decoded/, new File(["no picture"], "a.png")],
    "a PNG cut off": ["corrupt-file", /decoded/, png.slice(0, png.size >> 1)],
    "a PNG with a header only": ["corrupt-file", /decoded/, png.slice(0, 40)],
    "a broken drawing": ["corrupt-file", /decoded/, drawing("<svg xmlns=")],
    "an <img> of something else": ["corrupt-file", /page\.html is not an image/, broken],
    "an address of something else": ["corrupt-file", /page\.html/, "/tests/support/page.html"],
    "an address of nothing": ["network", /404/, "/tests/support/nothing.png"],
    "an address on another origin": ["network", /allow/, otherOrigin],
    "a PNG of 20,000 pixels": ["invalid-argument", /20000 × 1 .*16384/, await writePng(wide, 0)],
    "bytes of 20,000 pixels": ["invalid-argument", /20000 × 1 .*16384/, wide],
    "a PNG that claims gigabytes": ["invalid-argument", /65535 × 65535/, claiming(png, 65535, 65535)],
    "a PNG without pixels": ["invalid-argument", /0 × 30/, claiming(png, 0, 30)],
    "a canvas without pixels": ["invalid-argument", /0 × 3/, new OffscreenCanvas(0, 3)],
    "bytes without pixels": ["invalid-argument", /0 × 5/, bytes(0, 0, 5)],
    "bytes with two channels": ["invalid-argument", /RGBA.*RGB.*grey/, bytes(8, 2, 2)],
    "bytes with five channels": ["invalid-argument", /RGBA.*RGB.*grey/, bytes(20, 2, 2)],
    "bytes that are too few": ["invalid-argument", /RGBA.*RGB.*grey/, bytes(15, 2, 2)],
    "bytes with half a row": ["invalid-argument", /height/, bytes(6, 1, 1.5)],
    "numbers that are no bytes": ["invalid-argument", /Uint8Array/, { data: new Float32Array(4), width: 1, height: 1 }],
    "an <img> without a source": ["invalid-argument", /no source/, new Image()],
    "an <img> that still loads": ["invalid-argument", /loaded/, loadingImage()],
    "a video without a frame": ["invalid-argument", /loadeddata/, document.createElement("video")],
    "a closed bitmap": ["invalid-argument", /0 × 0/, closedBitmap],
    "a closed frame": ["invalid-argument", /decoded/, closedFrame],
    "an <img> of another origin": ["invalid-argument", /crossorigin/, foreign],
    "a canvas tainted by it": ["invalid-argument", /crossorigin/, tainted],
    "a bitmap of it": ["invalid-argument", /crossorigin/, await createImageBitmap(foreign)],
    "an element that shows nothing": ["invalid-argument", /element/, document.createElement("div")],
    "a number": ["invalid-argument", /not 3/, 3],
    "nothing": ["invalid-argument", /undefined/, undefined],
  };
}

function canvasOfElement(element) {
  const { naturalWidth: width, naturalHeight: height } = element;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").drawImage(element, 0, 0);
  return canvas;
}

/** Never answered: an address that nothing listens on would fail at once. */
function loadingImage() {
  return Object.assign(new Image(), { loading: "lazy", src: "/tests/support/page.html?lazy" });
}

/** The same PNG with another size in its header; the check sum there is then wrong, as in many a broken file. */
function claiming(png, width, height) {
  const size = new DataView(new ArrayBuffer(8));
  size.setUint32(0, width);
  size.setUint32(4, height);
  return new Blob([png.slice(0, 16), size, png.slice(24)], { type: "image/png" });
}
