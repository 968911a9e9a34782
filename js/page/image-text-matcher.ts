// Two towers: images and texts become vectors of one space, in which what belongs together lies together.

import { invalid } from "../shared/errors.js";
import type { Matching, WireText } from "../shared/protocol.js";
import type {
  BatchOptions,
  Classification,
  ImageInput,
  MatchOptions,
  ModelSource,
  SignalOptions,
  TensorF32,
  Tokenizer,
} from "../shared/types.js";
import { inPictureBatches, inTextBatches } from "./batches.js";
import { BATCH, listOf, nameOf, readImage } from "./images/image-input.js";
import { LoadedModel } from "./loaded-model.js";
import type { Model } from "./model.js";
import { openModel } from "./open-model.js";
import { optionsOf, readSignal } from "./options.js";
import { rowAt, rowsOf, stack } from "./tensors.js";
import { TextVectors } from "./text-vectors.js";
import { RemoteTokenizer } from "./tokenizer.js";
import type { LoadOptions } from "./types-load.js";
import {
  checkFunction,
  checkList,
  checkLiveSignal,
  checkPixels,
  checkRows,
  checkText,
  checkTexts,
  throwIfAborted,
} from "./validate.js";

const readClassify = /* @__PURE__ */ optionsOf<MatchOptions>("classify", { template: checkTemplate, signal: checkLiveSignal });
const EMBED = { onProgress: checkFunction<NonNullable<BatchOptions["onProgress"]>>, signal: checkLiveSignal };
const readEmbedImage = /* @__PURE__ */ optionsOf<BatchOptions>("embedImage", EMBED);
const readEmbedText = /* @__PURE__ */ optionsOf<BatchOptions>("embedText", EMBED);

/** Images and texts as vectors of one space (CLIP, SigLIP): classes that are only named, search by words. */
export class ImageTextMatcher extends LoadedModel {
  /** The checkpoint's own. */
  readonly tokenizer: Tokenizer;
  readonly #model: Model;
  readonly #kept = new TextVectors(1000);

  private constructor(model: Model) {
    super(model);
    this.#model = model;
    this.tokenizer = new RemoteTokenizer(model);
  }

  /** Rejects with "invalid-argument" where the checkpoint is for another class, which the message names. */
  static async load(source: ModelSource, options?: LoadOptions): Promise<ImageTextMatcher> {
    return new ImageTextMatcher(await openModel("image-text-matching", source, options));
  }

  /**
   * Which of the labels an image shows, best first; `index` is the label's place in `labels`. Nothing was trained on
   * them: they are compared as texts, which `template` makes of them. The vectors of the latest 1,000 texts are kept.
   */
  classify(image: ImageInput, labels: string[], options?: MatchOptions): Promise<Classification[]>;
  classify(images: ImageInput[], labels: string[], options?: MatchOptions): Promise<Classification[][]>;
  async classify(
    given: ImageInput | ImageInput[],
    labels: string[],
    options?: MatchOptions,
  ): Promise<Classification[] | Classification[][]> {
    const { template = "This is a photo of {}.", signal } = readClassify(options);
    const names = checkLabels(labels);
    const images = await this.#embedImages(given, { signal });
    const texts = await this.#embedTexts(
      names.map((label) => template.replaceAll("{}", () => label)),
      { signal },
    );
    const results = images.flatMap((batch) =>
      Array.from({ length: batch.dims[0]! }, (_, at) => rank(rowAt(batch, at), texts, names, this.#model.loaded.matching!)),
    );
    return Array.isArray(given) ? results : results[0]!;
  }

  /** [rows, width], unit length. Of images, or of normalised pixels [rows, channels, height, width]. */
  async embedImage(image: ImageInput | ImageInput[] | TensorF32, options?: BatchOptions): Promise<TensorF32> {
    const batch = readEmbedImage(options);
    if (Array.isArray((image as Partial<TensorF32> | null)?.dims)) {
      const input = checkPixels(image);
      const { signal } = batch;
      return this.#model.call("embedImages", { input }, { signal, transfer: [input.data.buffer] });
    }
    const given = image as ImageInput | ImageInput[];
    if (listOf(given).length === 0) await this.#model.reach(batch.signal);
    return stack(await this.#embedImages(given, batch), this.#width);
  }

  /** [rows, width], unit length. Of texts, the latest of which are kept, or of rows of ids. */
  async embedText(text: string | string[] | ArrayLike<number>[], options?: BatchOptions): Promise<TensorF32> {
    const batch = readEmbedText(options);
    return rowsOf(await this.#embedTexts(checkTexts(text, "text"), batch), this.#width);
  }

  /** Every image against every text, scaled as the model does: [images, texts]. */
  async logits(
    pixels: TensorF32,
    tokens: ArrayLike<number> | ArrayLike<number>[],
    options?: SignalOptions,
  ): Promise<TensorF32> {
    const rows = checkRows(tokens);
    const { signal } = readSignal("logits", options);
    const checked = checkPixels(pixels);
    return this.#model.call("matchLogits", { pixels: checked, rows }, { signal, transfer: [checked.data.buffer] });
  }

  /** Of the vectors. */
  get #width(): number {
    const { head } = this.#model.loaded.summary.spec.stacks[0]!;
    return head.type === "embedding" ? head.width : this.#model.loaded.summary.width;
  }

  #embedImages(given: ImageInput | ImageInput[], { signal, onProgress }: BatchOptions): Promise<TensorF32[]> {
    const images = listOf(given);
    return inPictureBatches({
      count: images.length,
      batch: BATCH,
      signal,
      onProgress,
      read: (at) => readImage(images[at]!, nameOf(given, at), signal),
      compute: (input, call) => this.#model.call("embedImages", { input }, call),
    });
  }

  async #embedTexts(texts: WireText[], batch: BatchOptions): Promise<Float32Array[]> {
    const found = new Map<WireText, Float32Array>();
    const missing = new Set<WireText>();
    for (const text of texts) {
      const kept = typeof text === "string" ? this.#kept.get(text) : undefined;
      if (kept !== undefined) found.set(text, kept);
      else missing.add(text);
    }
    // Even where nothing is missing, a model that is gone answers nothing.
    await this.#model.reach(batch.signal);
    throwIfAborted(batch.signal);
    const wanted = [...missing];
    const computed = await inTextBatches(wanted, batch, (texts, call) => this.#model.call("embedTexts", { texts }, call));
    const rows = computed.flatMap((part) => Array.from({ length: part.dims[0]! }, (_, at) => rowAt(part, at)));
    wanted.forEach((text, at) => {
      found.set(text, rows[at]!);
      if (typeof text === "string") this.#kept.keep(text, rows[at]!);
    });
    return texts.map((text) => found.get(text)!);
  }
}

/** The labels by what their texts have in common with the image. */
function rank(image: Float32Array, texts: Float32Array[], labels: string[], { scale, bias }: Matching): Classification[] {
  const logits = texts.map((text) => scale * dot(image, text) + (bias ?? 0));
  const most = Math.max(...logits);
  const sum = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
  const softmax = (logit: number) => Math.exp(logit - most) / sum;
  const sigmoid = (logit: number) => 1 / (1 + Math.exp(-logit));
  const score = bias === undefined ? softmax : sigmoid;
  const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!);
  return order.map((index) => ({ label: labels[index]!, index, score: score(logits[index]!) }));
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}

function checkLabels(labels: unknown): string[] {
  const checked = checkList(labels, "labels", "strings", checkText);
  if (checked.length === 0) throw invalid("labels is empty");
  return checked;
}

function checkTemplate(template: unknown, name: string): string {
  const checked = checkText(template, name);
  if (!checked.includes("{}")) throw invalid(`${name} should have "{}" where the label goes`);
  return checked;
}
