// An image model: pictures in, classes out, and where it looked.

import { inPictureBatches, type PictureBatches } from "./batches.js";
import type { Engine } from "./engine.js";
import { invalid } from "./errors.js";
import { Grid } from "./heatmap.js";
import { BATCH, listOf, nameOf, openImage, readImage } from "./image-input.js";
import { openModel } from "./open-model.js";
import { Patches, windowsOf } from "./patches.js";
import type { Picture } from "./protocol.js";
import type { RemoteModel } from "./remote.js";
import type {
  AttentionOptions,
  Classification,
  ClassifyOptions,
  Heatmap,
  ImageInput,
  LoadOptions,
  ModelSource,
  ModelSummary,
  PatchMap,
  PatchOptions,
  TensorF32,
} from "./types.js";
import { checkCount, checkFunction, checkOptions, checkPixels, checkSignal } from "./validate.js";

export class ImageClassifier {
  readonly #model: RemoteModel;

  private constructor(model: RemoteModel) {
    this.#model = model;
  }

  static async load(source: ModelSource, options: LoadOptions = {}): Promise<ImageClassifier> {
    return new ImageClassifier(await openModel("image-classification", source, options));
  }

  get summary(): ModelSummary {
    return this.#model.loaded.summary;
  }

  get engine(): Engine {
    return this.#model.engine;
  }

  /** By index; "LABEL_0" and so on where the checkpoint names none. */
  get labels(): string[] {
    return [...this.#labels];
  }

  /** What the image shows, best first. Several images go through the model in batches. */
  classify(image: ImageInput, options?: ClassifyOptions): Promise<Classification[]>;
  classify(images: ImageInput[], options?: ClassifyOptions): Promise<Classification[][]>;
  async classify(
    given: ImageInput | ImageInput[],
    options: ClassifyOptions = {},
  ): Promise<Classification[] | Classification[][]> {
    const { topK, signal } = this.#checkClassify(options);
    const images = listOf(given);
    const read = (at: number) => readImage(images[at]!, nameOf(given, at), signal);
    const results = await this.#inBatches(topK, { count: images.length, batch: BATCH, signal, read });
    return Array.isArray(given) ? results : results[0]!;
  }

  /**
   * Classifies every patch of a large image: a window of `size` pixels moved by `stride`. The windows cover the image:
   * the last of a row or column ends at its edge. The image stays on the page and is cut while the model works; a
   * bitmap, or bytes, must not be closed or changed meanwhile.
   */
  async classifyPatches(image: ImageInput, options: PatchOptions = {}): Promise<PatchMap> {
    const { topK, signal } = this.#checkClassify(options);
    const [, height, width] = this.#model.loaded.inputSize!;
    const side = options.size === undefined ? undefined : checkCount(options.size, "size", 1);
    const size = side === undefined ? { width, height } : { width: side, height: side };
    const step = options.stride === undefined ? undefined : checkCount(options.stride, "stride", 1);
    const stride = step === undefined ? size : { width: step, height: step };
    const batch = checkCount(options.batch ?? BATCH, "batch", 1);
    const onProgress = checkFunction(options.onProgress, "onProgress");
    const open = await openImage(image, "image", signal);
    try {
      const windows = windowsOf(open, size, stride);
      const read = (index: number) => {
        const { x, y, width, height } = windows.at(index);
        return open.read(x, y, width, height);
      };
      const count = windows.rows * windows.columns;
      const best = await this.#inBatches(topK, { count, batch, signal, read, onProgress });
      return new Patches(open, windows, best, this.#labels);
    } finally {
      open.close();
    }
  }

  /**
   * Where the model looked: attention of the class token (or the mean), as a grid over the part of the image that the
   * model sees.
   */
  async attention(image: ImageInput, options: AttentionOptions = {}): Promise<Heatmap> {
    checkOptions(options, "options");
    const { layer = "rollout", head = "mean", signal } = options;
    const which = {
      ...(layer !== "rollout" && { layer: checkCount(layer, "layer", 0) }),
      ...(head !== "mean" && { head: checkCount(head, "head", 0) }),
    };
    checkSignal(signal, false);
    const picture = await readImage(image, "image", signal);
    const transfer = transferOf([picture]);
    const { data, dims } = await this.#model.call("imageAttention", { picture, ...which }, { signal, transfer });
    const [, rows, columns] = dims;
    return new Grid(rows!, columns!, data);
  }

  /** The weights themselves: [layers, rows, heads, tokens, tokens]. */
  async attentionMaps(pixels: TensorF32): Promise<TensorF32> {
    const checked = checkPixels(pixels);
    return this.#model.call("imageAttentionMaps", { pixels: checked }, { transfer: [checked.data.buffer] });
  }

  /** What images become on their way into the model, normalised: [rows, channels, height, width]. */
  async pixels(images: ImageInput | ImageInput[], options: { signal?: AbortSignal } = {}): Promise<TensorF32> {
    checkOptions(options, "options");
    checkSignal(options.signal, false);
    const { signal } = options;
    const pictures: Picture[] = [];
    for (const [at, image] of listOf(images).entries())
      pictures.push(await readImage(image, nameOf(images, at), signal));
    if (pictures.length === 0) throw invalid("images is empty");
    return this.#model.call("pixels", { pictures }, { signal, transfer: transferOf(pictures) });
  }

  /** The raw path: normalised pixels [rows, channels, height, width] in, logits [rows, classes] out. */
  async logits(pixels: TensorF32): Promise<TensorF32> {
    const checked = checkPixels(pixels);
    return this.#model.call("imageLogits", { pixels: checked }, { transfer: [checked.data.buffer] });
  }

  /** Hidden states after the last norm: [rows, tokens, width]. */
  async features(input: ImageInput | TensorF32): Promise<TensorF32> {
    if (Array.isArray((input as Partial<TensorF32> | null)?.dims)) {
      const pixels = checkPixels(input);
      return this.#model.call("imageFeatures", { input: pixels }, { transfer: [pixels.data.buffer] });
    }
    const picture = await readImage(input as ImageInput, "input");
    return this.#model.call("imageFeatures", { input: picture }, { transfer: transferOf([picture]) });
  }

  /** Frees the model. What waits for it rejects with code "disposed". */
  dispose(): Promise<void> {
    return this.#model.dispose();
  }

  get #labels(): string[] {
    return this.#model.loaded.labels!;
  }

  async #inBatches(topK: number, work: Omit<PictureBatches<unknown>, "compute">): Promise<Classification[][]> {
    const compute: PictureBatches<Classification[][]>["compute"] = (pictures, call) =>
      this.#model.call("classify", { pictures, topK }, call);
    return (await inPictureBatches({ ...work, compute })).flat();
  }

  #checkClassify(options: ClassifyOptions): { topK: number; signal: AbortSignal | undefined } {
    checkOptions(options, "options");
    checkSignal(options.signal, false);
    const topK = checkCount(options.topK ?? 5, "topK", 1);
    return { topK: Math.min(topK, Math.max(1, this.#labels.length)), signal: options.signal };
  }
}

const transferOf = (pictures: Picture[]) => pictures.map(({ data }) => data.buffer);
