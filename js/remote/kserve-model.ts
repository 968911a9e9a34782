// A classifier of images on a server that speaks KServe's v2 protocol, as Triton does:
// https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md, and of Triton's
// extensions https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_classification.md.

import type { CallOptions } from "../page/connection.js";
import type { TakesOf } from "../page/model.js";
import { AzulejoError, invalid } from "../shared/errors.js";
import type { Classification, ModelSummary, RemoteImages, RemoteOptions, TensorF32 } from "../shared/types.js";
import { Http } from "./http.js";
import { tensorOf, type ImageInputSpec } from "./pixels.js";
import { ServerModel, type Answers } from "./server-model.js";

const SOFTWARE = "KServe v2";

/** More of them no classifier has: a shape beyond it is a mistake, and room for it would not be had. */
const [MOST_PIXELS, MOST_CLASSES] = [1 << 24, 1 << 20];

interface Tensor {
  name: string;
  datatype: string;
  shape: number[];
}
interface Metadata {
  inputs?: Tensor[];
  outputs?: Tensor[];
}
interface Inferred {
  outputs?: (Tensor & { data?: unknown })[];
}

/** What the model takes and gives, and how it is asked. */
interface Classifier {
  http: Http;
  path: string;
  input: ImageInputSpec;
  output: string;
  images: RemoteImages;
  /** By index; as many as are known. */
  labels: string[];
}

/** Rejects with "unsupported-model" where it takes no images or gives no classes. */
export async function kserveModel(options: RemoteOptions, signal?: AbortSignal, summary?: ModelSummary): Promise<ServerModel> {
  const { url, headers, model, images = {} } = options;
  if (model === undefined) throw invalid("`model` is missing: KServe's protocol lists no models");
  const http = new Http(String(url), headers);
  const path = `/v2/models/${encodeURIComponent(model)}`;
  const { inputs, outputs } = await http.json<Metadata>(path, undefined, signal);
  const [input, output] = [inputOf(inputs, path), outputOf(outputs, path)];
  if (images.mean !== undefined && images.mean.length !== input.channels) throw invalid(`images.mean: the model takes ${input.channels} channels`);
  const count = output.shape.at(-1)!;
  const classifier: Classifier = { http, path: `${path}/infer`, input, output: output.name, images, labels: images.labels ?? [] };
  if (images.labels === undefined && count > 0) classifier.labels = await labelsOf(classifier, count, signal);
  if (images.labels !== undefined && count > 0 && images.labels.length !== count) throw invalid(`images.labels: the model has ${count} classes, not ${images.labels.length}`);
  const why = summary?.why;
  const server = { url: http.url, model, software: SOFTWARE, ...(why !== undefined && { why }) };
  const loaded = { labels: classifier.labels, inputSize: [input.channels, input.height, input.width] as [number, number, number] };
  return new ServerModel(server, answersOf(classifier), loaded, summary);
}

function answersOf(classifier: Classifier): Answers {
  return {
    classify: (takes, options) => classify(classifier, takes, options),
    imageLogits: ({ pixels }, { signal }) => logits(classifier, pixels, signal),
    pixels: async ({ pictures }) => ({ data: Float32Array.from(pixelsOf(classifier, pictures)), dims: shapeOf(classifier.input, pictures.length) }),
  };
}

async function classify(classifier: Classifier, { pictures, topK }: TakesOf<"classify">, { signal }: CallOptions): Promise<Classification[][]> {
  const { data, dims } = await infer(classifier, pixelsOf(classifier, pictures), pictures.length, signal);
  const classes = dims[1]!;
  return pictures.map((_, row) => {
    const scores = probabilities(data.subarray(row * classes, (row + 1) * classes));
    const all = Array.from(scores, (score, index) => ({ label: classifier.labels[index] ?? `LABEL_${index}`, index, score }));
    return all.sort((a, b) => b.score - a.score).slice(0, topK);
  });
}

/** The protocol does not say what a model's numbers are: what is a distribution is taken as it is, and else by softmax. */
function probabilities(row: Float32Array): Float32Array {
  const total = row.reduce((sum, value) => sum + value, 0);
  if (row.every((value) => value >= 0) && Math.abs(total - 1) < 1e-3) return row;
  const most = row.reduce((a, b) => Math.max(a, b));
  const powers = row.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

async function logits(classifier: Classifier, { data, dims }: TensorF32, signal: AbortSignal | undefined): Promise<TensorF32> {
  const { input } = classifier;
  const wanted = [input.channels, input.height, input.width];
  if (input.channelsLast || input.datatype !== "FP32") throw lacking("logits of pixels [rows, channels, height, width], as the model takes others,");
  if (dims.slice(1).some((dim, at) => dim !== wanted[at])) throw invalid(`pixels.dims [${dims.join(", ")}]: the model takes [rows, ${wanted.join(", ")}]`);
  return infer(classifier, [...data], dims[0]!, signal);
}

const lacking = (what: string) => new AzulejoError("unsupported-model", `${what}: not to be had of ${SOFTWARE}`);

function pixelsOf({ input, images: { mean, std } }: Classifier, pictures: TakesOf<"pixels">["pictures"]): number[] {
  if (input.datatype === "FP32" && (mean === undefined || std === undefined))
    throw invalid("images.mean and images.std: this model takes floats, and the protocol does not say how they are normalised");
  return tensorOf(pictures, input, mean ?? [], std ?? []);
}

function shapeOf({ channelsLast, channels, height, width }: ImageInputSpec, rows: number): number[] {
  return channelsLast ? [rows, height, width, channels] : [rows, channels, height, width];
}

/** [rows, classes] */
async function infer(classifier: Classifier, data: number[], rows: number, signal: AbortSignal | undefined): Promise<TensorF32> {
  const { outputs } = await ask<Inferred>(classifier, data, rows, {}, signal);
  const { data: values, shape } = outputs?.find(({ name }) => name === classifier.output) ?? {};
  // It may come nested, one list for each row.
  const flat: unknown[] = Array.isArray(values) ? values.flat(Infinity) : [];
  if (flat.length === 0 || flat.length % rows !== 0 || !flat.every((value) => typeof value === "number"))
    throw new AzulejoError("network", `${classifier.http.url}${classifier.path}: expected numbers for ${rows} images, got ${flat.length} of the shape ${JSON.stringify(shape)}`);
  return { data: Float32Array.from(flat as number[]), dims: [rows, flat.length / rows] };
}

function ask<T>({ http, path, input, output }: Classifier, data: number[], rows: number, parameters: object, signal: AbortSignal | undefined): Promise<T> {
  const inputs = [{ name: input.name, shape: shapeOf(input, rows), datatype: input.datatype, data }];
  return http.json<T>(path, { inputs, outputs: [{ name: output, ...parameters }] }, signal);
}

/** Triton's names of the classes, out of its answer to a picture of nothing; none where it has no such extension. */
async function labelsOf(classifier: Classifier, count: number, signal: AbortSignal | undefined): Promise<string[]> {
  const labels = Array.from({ length: count }, (_, index) => `LABEL_${index}`);
  const { extensions } = await classifier.http.json<{ extensions?: unknown }>("/v2", undefined, signal);
  if (!Array.isArray(extensions) || !extensions.includes("classification")) return labels;
  const { channels, height, width } = classifier.input;
  const nothing = new Array<number>(channels * height * width).fill(0);
  const { outputs } = await ask<Inferred>(classifier, nothing, 1, { parameters: { classification: count } }, signal);
  const told = outputs?.find(({ name }) => name === classifier.output)?.data;
  for (const each of Array.isArray(told) ? told.flat(Infinity) : []) {
    const found = /^[^:]*:(\d+):(.+)$/s.exec(String(each));
    if (found !== null && Number(found[1]) < count) labels[Number(found[1])] = found[2]!;
  }
  return labels;
}

/** One tensor of pictures, [-1, 3, 224, 224] or [-1, 224, 224, 3], say. */
function inputOf(inputs: Tensor[] | undefined, path: string): ImageInputSpec {
  const [input, ...others] = Array.isArray(inputs) ? inputs : [];
  const { name, datatype, shape: given } = input ?? {};
  const shape = Array.isArray(given) ? given : [];
  const [a, b, c] = shape.slice(1);
  const channelsLast = a !== 1 && a !== 3;
  const [channels, height, width] = channelsLast ? [c, a, b] : [a, b, c];
  const isImage = others.length === 0 && shape.length === 4 && (channels === 1 || channels === 3) && height! > 0 && width! > 0 && height! * width! <= MOST_PIXELS;
  if (!isImage || (datatype !== "FP32" && datatype !== "UINT8"))
    throw new AzulejoError("unsupported-model", `${path}: expected one input of images, FP32 or UINT8, and it takes ${JSON.stringify(inputs)}`);
  return { name: name!, datatype, channelsLast, channels, height: height!, width: width! };
}

function outputOf(outputs: Tensor[] | undefined, path: string): Tensor {
  const found = Array.isArray(outputs) ? outputs : [];
  const [output] = found;
  if (output === undefined || found.length > 1 || output.shape?.length !== 2 || !(output.shape[1]! <= MOST_CLASSES) || !/^FP(16|32|64)$/.test(output.datatype))
    throw new AzulejoError("unsupported-model", `${path}: expected one output of floats for each class, and it gives ${JSON.stringify(outputs)}`);
  return output;
}
