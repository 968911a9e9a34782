// From files to a model: which files there are, their bytes into the core as they arrive.

import { AzulejoError, invalid } from "../shared/errors.js";
import { Breath, type Job } from "../shared/jobs.js";
import { PIECE, type Task, type WireModelOptions } from "../shared/protocol.js";
import type { ModelSummary } from "../shared/types.js";
import type { AnyModel, ModelLoader } from "../simd/azulejo.js";
import { readBeside, readProcessor } from "./files/beside.js";
import type { Files } from "./files/files.js";
import { checked } from "./files/integrity.js";
import type { Meter } from "./files/meter.js";
import type { OpenFile } from "./files/open-file.js";
import { readText, refusePointer } from "./files/text-file.js";
import { chooseGguf, ggufModels, type Choice } from "./files/which-gguf.js";
import type { Instance } from "./instance.js";

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
  /** Which of several GGUF files. */
  choice: Choice;
  meter: Meter;
  /** How long the thread may be kept from its messages. */
  breath: Breath;
  inPage: boolean;
}

export async function loadModel(loading: Loading): Promise<AnyModel> {
  const { instance, job, meter } = loading;
  const files = checked(loading.files, loading.integrity ?? {});
  const loader = await read({ ...loading, files });
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
  const loader = await read(loading);
  try {
    return loading.instance.call(() => loader.summary());
  } finally {
    loading.instance.free(loader);
  }
}

/** The caller frees the loader; where this throws it is freed already. */
async function read(loading: Loading): Promise<ModelLoader> {
  const { instance } = loading;
  const plan = await planOf(loading);
  const loader = newLoader(loading, "gguf" in plan ? "gguf" : "safetensors", loading.headerOnly);
  try {
    const feed = new Feed(loading, loader);
    await ("gguf" in plan ? feed.gguf(plan.gguf) : feed.safetensors(plan.config));
    return loader;
  } catch (error) {
    instance.free(loader);
    throw error;
  }
}

function newLoader({ instance, device, options }: Loading, format: "gguf" | "safetensors", headerOnly: boolean): ModelLoader {
  return instance.call(({ ModelLoader }) => new ModelLoader(format, { ...options, device, headerOnly }));
}

/** What the model is read from: GGUF files, of which the first may name the others, or a folder with this configuration. */
async function planOf(loading: Loading): Promise<{ gguf: string[] } | { config: string }> {
  const { files, choice } = loading;
  if (choice.file !== undefined && !/\.gguf$/i.test(choice.file))
    throw invalid(`"file" should name a GGUF file, not ${JSON.stringify(choice.file)}`);
  if (files.single !== undefined) return { gguf: [files.single] };
  if (files.names !== undefined) {
    const hasWeights = files.names.some((name) => /\.safetensors(\.index\.json)?$/.test(name));
    const isFolder = files.names.includes("config.json") && hasWeights;
    const wanted = choice.file !== undefined || choice.quant !== undefined;
    if (wanted || (!isFolder && ggufModels(files.names).length > 0)) return { gguf: await ofSeveral(loading, files.names) };
  } else if (choice.quant !== undefined && files.list === undefined) {
    throw invalid(`the files in ${files.place} cannot be listed to find ${JSON.stringify(choice.quant)}: give "file"`);
  } else if (choice.quant !== undefined || (files.list !== undefined && /gguf/i.test(files.place))) {
    const names = await files.list!();
    if (choice.quant !== undefined || ggufModels(names).length > 0) return { gguf: chooseGguf(names, choice, files.place) };
  }
  const config = await readText(files, "config.json");
  if (config !== undefined) return { config };
  // Nobody gives a repository of GGUF files a configuration.
  const names = await files.list?.();
  if (names === undefined || ggufModels(names).length === 0) throw missing("config.json", files);
  return { gguf: chooseGguf(names, choice, files.place) };
}

/** Files that are here may be shards whose names do not say so: then the first one's header does. */
async function ofSeveral(loading: Loading, names: readonly string[]): Promise<string[]> {
  const { file, quant } = loading.choice;
  const models = ggufModels(names);
  if (models.length > 1 && (file ?? quant) === undefined && models.every(({ length }) => length === 1)) {
    if ((await shardsOf(loading, models[0]![0]!)) === models.length) return models.flat();
  }
  return chooseGguf(names, loading.choice, loading.files.place);
}

async function shardsOf(loading: Loading, name: string): Promise<number> {
  const { instance } = loading;
  const loader = newLoader(loading, "gguf", true);
  try {
    await new Feed({ ...loading, headerOnly: true, task: undefined }, loader).weights(name);
    return instance.call(() => loader.shards);
  } catch {
    loading.job.check();
    return 1;
  } finally {
    instance.free(loader);
  }
}

class Feed {
  readonly #of: Loading;
  readonly #loader: ModelLoader;

  constructor(loading: Loading, loader: ModelLoader) {
    this.#of = loading;
    this.#loader = loader;
  }

  async gguf(listed: string[]): Promise<void> {
    const { files, instance, job, task } = this.#of;
    const given = listed[0]!;
    const [, stem, count, end] = /^(.*-)\d{5}-of-(\d{5})(\.gguf)$/i.exec(given) ?? [];
    const shard = (n: number) => `${stem}${String(n).padStart(5, "0")}-of-${count}${end}`;
    // One file is asked for nothing else: the rest is in it.
    if (files.names !== undefined) await readProcessor({ files, instance, job, loader: this.#loader, task });
    await this.weights(stem === undefined ? given : shard(1));
    const shards = instance.call(() => this.#loader.shards);
    if (shards > 1 && stem === undefined && listed.length !== shards) {
      throw new AzulejoError(
        "missing-file",
        `${given} is one of ${shards} shards, and its name does not say what the others are called; ` +
          "give all of them as a list of files",
        { file: given },
      );
    }
    for (let n = 2; n <= shards; n++) await this.weights(stem === undefined ? listed[n - 1]! : shard(n));
  }

  async safetensors(config: string): Promise<void> {
    const { files, instance, job, task, headerOnly } = this.#of;
    instance.call(() => this.#loader.config(config));
    const folders = headerOnly ? [] : await readBeside({ files, instance, job, loader: this.#loader, task });
    await this.#model();
    for (const [module, folder] of folders.entries()) await this.weights(`${folder}/model.safetensors`, module);
  }

  /** The weights of a folder in Hugging Face's layout. */
  async #model(): Promise<void> {
    const { files, headerOnly } = this.#of;
    const single = await files.open("model.safetensors", headerOnly);
    if (single !== undefined) return this.#open(single);
    const index = await readText(files, "model.safetensors.index.json");
    if (index === undefined) throw missing("model.safetensors", files);
    for (const name of shardNames(index)) await this.weights(name);
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

  /** `module`: they are of that one of sentence-transformers' Dense modules. */
  async weights(name: string, module?: number): Promise<void> {
    const { files, headerOnly } = this.#of;
    const file = await files.open(name, headerOnly);
    if (file === undefined) throw missing(name, files);
    await this.#open(file, module);
  }

  async #open(file: OpenFile, module?: number): Promise<void> {
    const { instance, headerOnly } = this.#of;
    try {
      instance.call(() => {
        if (module === undefined) this.#loader.begin(file.name, file.size);
        else this.#loader.beginDense(module, file.name, file.size);
      });
      await this.#bytes(file);
      if (headerOnly) return;
      instance.call(() => this.#loader.end());
      await file.confirm?.();
    } finally {
      await file.close?.();
    }
  }

  /** The file's bytes, or its header's, in bites: counted, and with room for messages and the GPU in between. */
  async #bytes(file: OpenFile): Promise<void> {
    const { job, inPage, breath, headerOnly, meter } = this.#of;
    const bite = inPage ? PIECE >> 4 : PIECE >> 2;
    let inHeader = true;
    let unsettled = 0;
    meter.begin(file);
    let begun = false;
    for await (const piece of file.pieces) {
      if (!begun) refusePointer(piece, file.name);
      begun = true;
      for (let at = 0; at < piece.length; at += bite) {
        job.check();
        const bytes = piece.subarray(at, at + bite);
        const complete = this.#push(bytes);
        if (complete && inHeader) this.#checkTask();
        if (complete && headerOnly) return;
        meter.add(bytes.length);
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
    meter.end();
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
  "token-classification": "TokenClassifier",
};
/** A classifier of texts or tokens is an encoder with something on top. */
const ALSO: Partial<Record<Task, Task[]>> = { "text-embedding": ["text-classification", "token-classification"] };
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
