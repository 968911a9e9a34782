// From files to a model: which files there are, their bytes into the core as they arrive.

import { readBeside, readProcessor } from "./beside.js";
import { AzulejoError, invalid } from "./errors.js";
import { readText, type Files, type OpenFile } from "./files.js";
import type { Instance } from "./instance.js";
import { checked } from "./integrity.js";
import { Breath, type Job } from "./jobs.js";
import { Meter } from "./meter.js";
import { PIECE, type Task, type WireModelOptions } from "./protocol.js";
import type { LoadProgress, ModelSummary } from "./types.js";
import type { AnyModel, ModelLoader } from "./simd/azulejo.js";

export interface Loading {
  instance: Instance;
  device: "cpu" | "webgpu";
  job: Job;
  files: Files;
  options: WireModelOptions;
  /** What the model must be for; where it is not given anything will do. */
  task?: Task;
  /** Only headers: no tokenizer, no weights. */
  headerOnly: boolean;
  integrity?: Record<string, string>;
  onProgress?: (progress: LoadProgress) => void;
  /** How long the thread may be kept from its messages. */
  breath: Breath;
  inPage: boolean;
}

export async function loadModel(loading: Loading): Promise<AnyModel> {
  const { instance, job } = loading;
  const meter = new Meter(loading.onProgress);
  const files = checked(loading.files, loading.integrity ?? {});
  const loader = await read({ ...loading, files }, meter);
  try {
    files.finish();
    meter.stage("compile");
    const model = await instance.finish(job, () => {
      const model = loader.finish();
      if (model === null) meter.compiling(loader.compiled);
      return model;
    });
    meter.stage("ready");
    return model;
  } finally {
    instance.free(loader);
  }
}

export async function inspectModel(loading: Loading): Promise<ModelSummary> {
  const loader = await read(loading, new Meter());
  try {
    return loading.instance.call(() => loader.summary());
  } finally {
    loading.instance.free(loader);
  }
}

/** The caller frees the loader; where this throws it is freed already. */
async function read(loading: Loading, meter: Meter): Promise<ModelLoader> {
  const { instance, files, device, headerOnly } = loading;
  const format = chooseFormat(files);
  const options = { ...loading.options, device, headerOnly };
  const loader = instance.call(({ ModelLoader }) => new ModelLoader(format, options));
  try {
    const feed = new Feed(loading, loader, meter);
    await (format === "gguf" ? feed.gguf() : feed.safetensors());
    return loader;
  } catch (error) {
    instance.free(loader);
    throw error;
  }
}

function chooseFormat({ single, names }: Files): "gguf" | "safetensors" {
  if (single !== undefined) return "gguf";
  const hasGguf = names?.some((name) => /\.gguf$/i.test(name)) ?? false;
  return hasGguf && !names!.includes("config.json") ? "gguf" : "safetensors";
}

class Feed {
  readonly #of: Loading;
  readonly #loader: ModelLoader;
  readonly #meter: Meter;

  constructor(loading: Loading, loader: ModelLoader, meter: Meter) {
    this.#of = loading;
    this.#loader = loader;
    this.#meter = meter;
  }

  async gguf(): Promise<void> {
    const { files, instance, task } = this.#of;
    const listed = files.names?.filter((name) => /\.gguf$/i.test(name)).sort();
    const given = files.single ?? listed![0]!;
    const [, stem, count, end] = /^(.*-)\d{5}-of-(\d{5})(\.gguf)$/i.exec(given) ?? [];
    const shard = (n: number) => `${stem}${String(n).padStart(5, "0")}-of-${count}${end}`;
    // One file is asked for nothing else: the rest is in it.
    if (files.names !== undefined) await readProcessor({ files, instance, loader: this.#loader, task });
    await this.#weights(stem === undefined ? given : shard(1));
    const shards = instance.call(() => this.#loader.shards);
    if (shards > 1 && stem === undefined && listed?.length !== shards) {
      throw new AzulejoError(
        "missing-file",
        `${given} is one of ${shards} shards, and its name does not say what the others are called; ` +
          "give all of them as a list of files",
        { file: given },
      );
    }
    for (let n = 2; n <= shards; n++) await this.#weights(stem === undefined ? listed![n - 1]! : shard(n));
  }

  async safetensors(): Promise<void> {
    const { files, instance, task, headerOnly } = this.#of;
    const config = await readText(files, "config.json");
    if (config === undefined) throw missing("config.json", files);
    instance.call(() => this.#loader.config(config));
    if (!headerOnly) await readBeside({ files, instance, loader: this.#loader, task });
    const single = await files.open("model.safetensors", headerOnly);
    if (single !== undefined) return this.#open(single);
    const index = await readText(files, "model.safetensors.index.json");
    if (index === undefined) throw missing("model.safetensors", files);
    for (const name of shardNames(index)) await this.#weights(name);
  }

  /** Before anybody waits for weights that are of no use. */
  #checkTask(): void {
    const { instance, task } = this.#of;
    if (task === undefined) return;
    const summary = instance.call(() => this.#loader.summary());
    if (summary.task === task || ALSO[task]?.includes(summary.task)) return;
    throw invalid(
      `this model (${summary.architecture}) is for ${summary.task}, not for ${task}: load it with ${CLASSES[summary.task]}`,
    );
  }

  async #weights(name: string): Promise<void> {
    const { files, headerOnly } = this.#of;
    const file = await files.open(name, headerOnly);
    if (file === undefined) throw missing(name, files);
    await this.#open(file);
  }

  async #open(file: OpenFile): Promise<void> {
    const { instance, headerOnly } = this.#of;
    try {
      instance.call(() => this.#loader.begin(file.name, file.size));
      await this.#bytes(file);
      if (!headerOnly) instance.call(() => this.#loader.end());
    } finally {
      file.close?.();
    }
  }

  /** The file's bytes, or its header's, in bites: counted, and with room for messages and the GPU in between. */
  async #bytes(file: OpenFile): Promise<void> {
    const { job, inPage, breath, headerOnly } = this.#of;
    const bite = inPage ? PIECE >> 4 : PIECE >> 2;
    let inHeader = true;
    let unsettled = 0;
    this.#meter.begin(file);
    for await (const piece of file.pieces) {
      for (let at = 0; at < piece.length; at += bite) {
        job.check();
        const bytes = piece.subarray(at, at + bite);
        const complete = this.#push(bytes);
        if (complete && inHeader) this.#checkTask();
        if (complete && headerOnly) return;
        this.#meter.add(bytes.length);
        unsettled += bytes.length;
        if (complete && (inHeader || unsettled >= SETTLE_BYTES)) {
          await this.#of.instance.finish(job, () => this.#loader.settle());
          inHeader = false;
          unsettled = 0;
        }
        await breath.take();
      }
    }
    job.check();
    this.#meter.end();
  }

  /** Whether the file's header is complete now. */
  #push(bytes: Uint8Array): boolean {
    return this.#of.instance.call(() => {
      this.#loader.push(bytes);
      return this.#loader.headerComplete;
    });
  }
}
/** Who loads what. */
const CLASSES: Record<Task, string> = {
  "causal-lm": "CausalLM",
  "image-classification": "ImageClassifier",
  "image-text-matching": "ImageTextMatcher",
  seq2seq: "Seq2SeqLM",
  "text-classification": "TextClassifier",
  "text-embedding": "TextEmbedder",
};
/** A classifier of texts is an encoder with something on top. */
const ALSO: Partial<Record<Task, Task[]>> = { "text-embedding": ["text-classification"] };
/** So much may be on its way to the GPU before anybody looks whether it gets there. */
const SETTLE_BYTES = 16 << 20;

function missing(name: string, files: Files): AzulejoError {
  return new AzulejoError("missing-file", `${name} is missing: it is not in ${files.place}`, { file: name });
}

function shardNames(index: string): string[] {
  const file = "model.safetensors.index.json";
  let map: unknown;
  try {
    map = (JSON.parse(index) as { weight_map?: unknown } | null)?.weight_map;
  } catch (error) {
    throw new AzulejoError("corrupt-file", `${file}: ${(error as Error).message}`, { file });
  }
  const names = new Set(Object.values(map ?? {}));
  for (const name of names) {
    if (typeof name !== "string")
      throw new AzulejoError("corrupt-file", `${file}: "weight_map" should give a file name for each tensor`, { file });
  }
  if (names.size === 0) throw new AzulejoError("corrupt-file", `${file} has no "weight_map"`, { file });
  return [...names].sort() as string[];
}
