// Where pictures come from: a file dialog, a drop, the clipboard, the samples.

import { AzulejoError } from "./azulejo/index.js";
import { byId, make } from "./dom.js";
import { download } from "./download.js";

/** A picture to look at. */
export interface Picture {
  bitmap: ImageBitmap;
  name: string;
  /** For the sheet: the class of each of its tiles, [rows][columns]. */
  tiles?: number[][];
}

/** The classes of Fashion-MNIST, by index. */
export const CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

const SHEET = "samples/fashion-sheet";

/** `samples/fashion/9-ankle-boot.png` */
const fileOf = (index: number) => `samples/fashion/${index}-${CLASSES[index]!.toLowerCase().replace(/[^a-z]+/g, "-")}.png`;

/** Reads a picture's bytes as the model will: the file's own numbers, turned as the camera was. */
export async function decode(blob: Blob, name: string): Promise<Picture> {
  try {
    return { bitmap: await createImageBitmap(blob, { colorSpaceConversion: "none" }), name };
  } catch (cause) {
    const why = blob.size === 0 ? "it is empty" : (cause as Error).message;
    throw new AzulejoError("corrupt-file", `${name}: ${why}`, undefined, { cause });
  }
}

/** The same picture with light and dark exchanged: some classifiers know things only before a dark ground. */
export async function invert({ bitmap, ...rest }: Picture): Promise<Picture> {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d")!;
  context.fillStyle = "#fff"; // what the model lays behind transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  context.globalCompositeOperation = "difference";
  context.fillRect(0, 0, canvas.width, canvas.height);
  return { ...rest, bitmap: await createImageBitmap(canvas) };
}

/** One of the classes' samples. */
export async function sample(index: number): Promise<Picture> {
  return decode(await download(fileOf(index)), CLASSES[index]!);
}

/** 15 × 15 samples on one sheet, and what they are. */
async function sheet(): Promise<Picture> {
  const [png, json] = await Promise.all([download(`${SHEET}.png`), download(`${SHEET}.json`)]);
  const picture = await decode(png, "Sheet of samples");
  return { ...picture, tiles: JSON.parse(await json.text()) as number[][] };
}

/** Lists the samples, and listens to the file dialog and to pasting. `open` shows what the promise gives, or its error. */
export function initPictures(open: (picture: Promise<Picture>) => void, active: () => boolean): void {
  const list = byId("samples", HTMLElement);
  for (const [index, name] of CLASSES.entries()) list.append(thumbnail(fileOf(index), name, () => open(sample(index))));
  const all = thumbnail(`${SHEET}.png`, "Sheet", () => open(sheet()));
  all.querySelector("button")!.title = "15 × 15 samples on one sheet, to classify window by window";
  list.append(all);

  const input = byId("picture-file", HTMLInputElement);
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file) open(decode(file, file.name));
    input.value = ""; // so that choosing the same file again is a change again
  });
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
    if (!active() || !file) return;
    event.preventDefault();
    open(decode(file, "Pasted picture"));
  });
}

function thumbnail(path: string, name: string, choose: () => void): HTMLElement {
  const item = make("li");
  const button = make("button");
  button.type = "button";
  const image = make("img");
  Object.assign(image, { src: path, alt: "", width: 28, height: 28 });
  button.append(image, make("span", "", name));
  button.addEventListener("click", choose);
  item.append(button);
  return item;
}
