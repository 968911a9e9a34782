// What a classifier makes of Fashion-MNIST's test images. Runs in a page and under Node.

const SIDE = 28;

/** The class of each image: `images` are their grey levels, [count, 28, 28]. */
export async function classesOf({ Engine, ImageClassifier }, source, images, device, options = {}) {
  const engine = await Engine.create({ device });
  try {
    const model = await ImageClassifier.load(source, { engine, cache: false, ...options });
    const count = images.length / SIDE ** 2;
    const picture = (at) => ({ data: images.subarray(at * SIDE ** 2, (at + 1) * SIDE ** 2), width: SIDE, height: SIDE });
    const best = await model.classify(Array.from({ length: count }, (_, at) => picture(at)), { topK: 1 });
    return { device: engine.device.kind, labels: model.labels, classes: best.map(([{ index }]) => index) };
  } finally {
    await engine.dispose();
  }
}
