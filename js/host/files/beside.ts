// What lies beside the weights of a model: tokenizer, image processor, sentence-transformers' modules. All of it may be
// missing; only what the task has a use for is asked for.

import { AzulejoError } from "../../shared/errors.js";
import type { Job } from "../../shared/jobs.js";
import type { Task } from "../../shared/protocol.js";
import type { ModelLoader } from "../../simd/azulejo.js";
import type { Instance } from "../instance.js";
import type { Files } from "./files.js";
import { readBytes, readText } from "./text-file.js";

export interface Beside {
  files: Files;
  instance: Instance;
  job: Job;
  loader: ModelLoader;
  /** Where it is not given: a reader of text. */
  task: Task | undefined;
}

/** Which folders have more weights in them. */
export async function readBeside(beside: Beside): Promise<string[]> {
  if (beside.task !== "image-classification") await readTokenizer(beside);
  const folders = beside.task === "text-embedding" ? await readSentence(beside) : [];
  if (beside.task === "text-classification") await readCrossEncoder(beside);
  if (makesTexts(beside.task)) await readGeneration(beside);
  await readProcessor(beside);
  return folders;
}

/** preprocessor_config.json, where images come in; newer files of two towers have it inside another one. */
export async function readProcessor({ files, instance, loader, task }: Beside): Promise<void> {
  if (task !== "image-classification" && task !== "image-text-matching") return;
  let json = await readText(files, "preprocessor_config.json");
  if (json === undefined && task === "image-text-matching") {
    const both = await readText(files, "processor_config.json");
    if (both !== undefined && /"image_processor"\s*:/.test(both)) json = both;
  }
  if (json !== undefined) instance.call(() => loader.preprocessor(json));
}

async function readTokenizer({ files, instance, job, loader, task }: Beside): Promise<void> {
  const chats = task === undefined || task === "causal-lm";
  const names = ["tokenizer.json", "tokenizer_config.json", ...(chats ? ["chat_template.jinja"] : [])];
  const [tokenizer, config, template] = await together(names.map((name) => readText(files, name)));
  // Others by name are nobody's but a caller's who asks for them.
  const withTools = template === undefined ? undefined : await readText(files, "additional_chat_templates/tool_use.jinja");
  if (tokenizer === undefined) await readOlderFiles(files, instance, loader, config);
  const bytes = tokenizer?.length ?? 0;
  instance.stranger(job.id, "tokenizer", bytes, () => loader.tokenizer(tokenizer, config, template, withTools));
}

/** Where there is no tokenizer.json: the files that were there before it, which the tokenizer's class tells. */
async function readOlderFiles(files: Files, instance: Instance, loader: ModelLoader, config: string | undefined): Promise<void> {
  const [first, ...others] = instance.call(() => loader.tokenizerFiles(config));
  if (first === undefined) return;
  const vocabulary = await readBytes(files, first);
  // Without the first one there is no tokenizer at all.
  if (vocabulary === undefined) return;
  const contents = await together(others.map((name) => readBytes(files, name)));
  const all: [string, Uint8Array | undefined][] = [[first, vocabulary], ...others.map((name, at): [string, Uint8Array | undefined] => [name, contents[at]])];
  for (const [name, bytes] of all) {
    if (bytes !== undefined) instance.call(() => loader.tokenizerFile(name, bytes));
  }
}

/** How texts are made, where newer checkpoints say so; without it older ones do. */
async function readGeneration({ files, instance, loader }: Beside): Promise<void> {
  const json = await readText(files, "generation_config.json");
  instance.call(() => loader.generation(json));
}

const makesTexts = (task: Task | undefined) => task === undefined || task === "causal-lm" || task === "seq2seq";

/** How sentence-transformers makes one vector of a text; the folders of the weights that it takes for that. */
async function readSentence({ files, instance, loader }: Beside): Promise<string[]> {
  const modules = await readText(files, "modules.json");
  if (modules === undefined) return instance.call(() => loader.sentence(undefined));
  const configOf = (folder: string) => readText(files, `${folder}/config.json`);
  const of = (kind: RegExp) => {
    const [folder] = moduleFolders(modules, kind);
    return folder === undefined ? undefined : configOf(folder);
  };
  const folders = moduleFolders(modules, /\.Dense$/);
  const [pooling, normalize, model, transformer, ...configs] = await together([
    of(/\.Pooling$/),
    of(/\.Normalize$/),
    readText(files, "config_sentence_transformers.json"),
    readTransformer(files, instance.call(() => loader.summary().architecture as string)),
    ...folders.map(configOf),
  ]);
  const found = folders.flatMap((folder, at) => (configs[at] === undefined ? [] : [[folder, configs[at]] as const]));
  const dense = Object.fromEntries(found);
  return instance.call(() => loader.sentence({ modules, pooling, normalize, dense, model, transformer }));
}

/** Early releases called the file by the architecture. */
async function readTransformer(files: Files, architecture: string): Promise<string | undefined> {
  const today = await readText(files, "sentence_bert_config.json");
  if (today !== undefined || architecture === "bert") return today;
  return readText(files, `sentence_${architecture}_config.json`);
}

/** What sentence-transformers' cross-encoders say of themselves. */
async function readCrossEncoder({ files, instance, loader }: Beside): Promise<void> {
  const json = await readText(files, "config_sentence_transformers.json");
  if (json !== undefined) instance.call(() => loader.crossEncoder(json));
}

/** All at once; where one fails, the others have ended too. */
async function together<T>(reading: (Promise<T> | T)[]): Promise<T[]> {
  const settled = await Promise.allSettled(reading);
  return settled.map((each) => {
    if (each.status === "rejected") throw each.reason;
    return each.value;
  });
}

/** Where modules of a kind have their files, usually "1_Pooling". What is wrong with the list the core says. */
function moduleFolders(modules: string, kind: RegExp): string[] {
  let list: unknown;
  try {
    list = JSON.parse(modules);
  } catch {
    return [];
  }
  if (!Array.isArray(list)) return [];
  const folders: string[] = [];
  for (const module of list as ({ type?: unknown; path?: unknown } | null)[]) {
    const { type, path } = module ?? {};
    if (typeof type !== "string" || !kind.test(type) || typeof path !== "string" || path === "") continue;
    if (!/^[\w-][\w.-]*\/?$/.test(path)) {
      throw new AzulejoError("corrupt-file", `a module lies in ${JSON.stringify(path)}, not in a folder of the model's`, { file: "modules.json" });
    }
    folders.push(path.replace("/", ""));
  }
  return folders;
}
