// What the page does for the trained ViT-S: in tests, and when the reference is made.

const MEAN = [0.485, 0.456, 0.406], DEVIATION = [0.229, 0.224, 0.225];
const SIZE = 224;

/** The 8-bit RGBA of a picture of 224 × 224 pixels, which no browser decodes differently: a PNG. */
async function decode(url) {
  const blob = await (await fetch(url)).blob();
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  if (bitmap.width !== SIZE || bitmap.height !== SIZE) throw new Error(`${url}: ${bitmap.width} × ${bitmap.height}, expected ${SIZE} × ${SIZE}`);
  const context = new OffscreenCanvas(SIZE, SIZE).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, SIZE, SIZE).data;
}

/** A picture as the model takes it, written plainly: [1, 3, 224, 224]. */
export async function pixelsOf(url) {
  const rgba = await decode(url);
  const plane = SIZE * SIZE;
  const data = new Float32Array(3 * plane);
  for (let channel = 0; channel < 3; channel++) {
    for (let at = 0; at < plane; at++) {
      data[channel * plane + at] = (rgba[4 * at + channel] / 255 - MEAN[channel]) / DEVIATION[channel];
    }
  }
  return { data, dims: [1, 3, SIZE, SIZE] };
}

/** The encoder's features of the picture at `url`, given as pixels and as a picture. */
export async function featuresOf({ Engine, ImageClassifier }, { model, picture, device }) {
  const engine = await Engine.create({ device });
  try {
    const vit = await ImageClassifier.load(model, { engine, cache: false });
    const plain = ({ data, dims }) => ({ data: Array.from(data), dims: Array.from(dims) });
    return {
      device: engine.device.kind,
      pixels: plain(await vit.features(await pixelsOf(picture))),
      picture: plain(await vit.features(picture)),
    };
  } finally {
    await engine.dispose();
  }
}
