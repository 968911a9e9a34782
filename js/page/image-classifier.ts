// An image model: pictures in, classes out, and where it looked.

import type { Picture } from "../shared/protocol.js";
import type {
  AttentionOptions,
  Classification,
  ClassifyOptions,
  Heatmap,
  ImageInput,
  ModelSource,
  PatchMap,
  PatchOptions,
  SignalOptions,
  TensorF32,
} from "../shared/types.js";
import { inPictureBatches, type PictureBatches } from "./batches.js";
import { Grid } from "./images/heatmap.js";
import { BATCH, listOf, nameOf, openImage, readImage } from "./images/image-input.js";
import { Patches, windowsOf } from "./images/patches.js";
import { LoadedModel } from "./loaded-model.js";
import type { Model } from "./model.js";
import { openModel } from "./open-model.js";
import { optionsOf, readSignal } from "./options.js";
import type { LoadOptions } from "./types-load.js";
import { checkFunction, checkLiveSignal, checkPixels, count, counted } from "./validate.js";

const CLASSIFY = { topK: /* @__PURE__ */ counted(1), signal: checkLiveSignal };
const readClassify = /* @__PURE__ */ optionsOf<ClassifyOptions>("classify", CLASSIFY);
const readPatches = /* @__PURE__ */ optionsOf<PatchOptions>("classifyPatches", {
  ...CLASSIFY,
  size: /* @__PURE__ */ count(1),
  stride: /* @__PURE__ */ count(1),
  batch: /* @__PURE__ */ count(1),
  onProgress: checkFunction<NonNullable<PatchOptions["onProgress"]>>,
});
const readAttention = /* @__PURE__ */ optionsOf<AttentionOptions>("attention", {
  layer: (value, name) => (value === "rollout" ? value : counted(0)(value, name)),
  head: (value, name) => (value === "mean" ? value : counted(0)(value, name)),
  signal: checkLiveSignal,
});

/** A model of pictures: what they show, patch by patch too, and where it looked. */
export class ImageClassifier extends LoadedModel {
  readonly #model: Model;

  private constructor(model: Model) {
    super(model);
    this.#model = model;
  }

  /** Rejects with "invalid-argument" where the checkpoint is for another class, which the message names. */
  static async load(source: ModelSource, options?: LoadOptions): Promise<ImageClassifier> {
    return new ImageClassifier(await openModel("image-classification", source, options));
  }

  /** @internal Of a model that is there already. */
  static over(model: Model): ImageClassifier {
    return new ImageClassifier(model);
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
    options?: ClassifyOptions,
  ): Promise<Classification[] | Classification[][]> {
    const { topK, signal } = readClassify(options);
    const images = listOf(given);
    const read = (at: number) => readImage(images[at]!, nameOf(given, at), signal);
    if (images.length === 0) await this.#model.reach(signal);
    const results = await this.#inBatches(topK, { count: images.length, batch: BATCH, signal, read });
    return Array.isArray(given) ? results : results[0]!;
  }

  /**
   * Classifies every patch of a large image: a window of `size` pixels moved by `stride`. The windows cover the image:
   * the last of a row or column ends at its edge. The image stays on the page and is cut while the model works; a
   * bitmap, or bytes, must not be closed or changed meanwhile.
   */
  async classifyPatches(image: ImageInput, options?: PatchOptions): Promise<PatchMap> {
    const { topK, size: side, stride: step, batch = BATCH, onProgress, signal } = readPatches(options);
    const [, height, width] = this.#model.loaded.inputSize!;
    const size = side === undefined ? { width, height } : { width: side, height: side };
    const stride = step === undefined ? size : { width: step, height: step };
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
  async attention(image: ImageInput, options?: AttentionOptions): Promise<Heatmap> {
    const { layer = "rollout", head = "mean", signal } = readAttention(options);
    const which = { ...(layer !== "rollout" && { layer }), ...(head !== "mean" && { head }) };
    const picture = await readImage(image, "image", signal);
    const transfer = transferOf([picture]);
    const { data, dims } = await this.#model.call("imageAttention", { picture, ...which }, { signal, transfer });
    const [, rows, columns] = dims;
    return new Grid(rows!, columns!, data);
  }

  /** The weights themselves: [layers, rows, heads, tokens, tokens]. */
  async attentionMaps(pixels: TensorF32, options?: SignalOptions): Promise<TensorF32> {
    const checked = checkPixels(pixels);
    const { signal } = readSignal("attentionMaps", options);
    return this.#model.call("imageAttentionMaps", { pixels: checked }, { signal, transfer: [checked.data.buffer] });
  }

  /** What images become on their way into the model, normalised: [rows, channels, height, width]. */
  async pixels(images: ImageInput | ImageInput[], options?: SignalOptions): Promise<TensorF32> {
    const { signal } = readSignal("pixels", options);
    const pictures: Picture[] = [];
    for (const [at, image] of listOf(images).entries())
      pictures.push(await readImage(image, nameOf(images, at), signal));
    if (pictures.length === 0) return this.#noPixels(signal);
    return this.#model.call("pixels", { pictures }, { signal, transfer: transferOf(pictures) });
  }

  /** The raw path: normalised pixels [rows, channels, height, width] in, logits [rows, classes] out. */
  async logits(pixels: TensorF32, options?: SignalOptions): Promise<TensorF32> {
    const checked = checkPixels(pixels);
    const { signal } = readSignal("logits", options);
    return this.#model.call("imageLogits", { pixels: checked }, { signal, transfer: [checked.data.buffer] });
  }

  /** Hidden states after the last norm: [rows, tokens, width]. */
  async features(input: ImageInput | TensorF32, options?: SignalOptions): Promise<TensorF32> {
    const { signal } = readSignal("features", options);
    if (Array.isArray((input as Partial<TensorF32> | null)?.dims)) {
      const pixels = checkPixels(input);
      return this.#model.call("imageFeatures", { input: pixels }, { signal, transfer: [pixels.data.buffer] });
    }
    const picture = await readImage(input as ImageInput, "input", signal);
    return this.#model.call("imageFeatures", { input: picture }, { signal, transfer: transferOf([picture]) });
  }

  get #labels(): string[] {
    return this.#model.loaded.labels!;
  }

  async #noPixels(signal: AbortSignal | undefined): Promise<TensorF32> {
    await this.#model.reach(signal);
    return { data: new Float32Array(), dims: [0, ...this.#model.loaded.inputSize!] };
  }

  async #inBatches(given = 5, work: Omit<PictureBatches<unknown>, "compute">): Promise<Classification[][]> {
    const topK = Math.min(given, Math.max(1, this.#labels.length));
    const compute: PictureBatches<Classification[][]>["compute"] = (pictures, call) =>
      this.#model.call("classify", { pictures, topK }, call);
    return (await inPictureBatches({ ...work, compute })).flat();
  }
}

const transferOf = (pictures: Picture[]) => pictures.map(({ data }) => data.buffer);
