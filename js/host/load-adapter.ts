// From files to a LoRA adapter beside a model: PEFT's folder, or a GGUF file.

import { AzulejoError } from "../shared/errors.js";
import type { Model } from "../simd/azulejo.js";
import type { Files } from "./files/files.js";
import { checked } from "./files/integrity.js";
import type { OpenFile } from "./files/open-file.js";
import { readText, refusePointer } from "./files/text-file.js";
import { chooseGguf, ggufModels } from "./files/which-gguf.js";
import type { Loading } from "./load.js";
import type { LoadedModel } from "./loaded.js";

const WEIGHTS = "adapter_model.safetensors";
const CONFIG = "adapter_config.json";

export interface AdapterLoading extends Omit<Loading, "options" | "headerOnly" | "task" | "device"> {
  /** The model, if it is there still. */
  base: () => LoadedModel;
  scale: number;
}

export async function loadAdapter(loading: AdapterLoading): Promise<Model> {
  const { instance, job, base, scale, meter } = loading;
  const files = checked(loading.files, loading.integrity ?? {});
  const { name, config } = await which({ ...loading, files });
  const file = await files.open(name, false);
  if (file === undefined) throw await missing(name, files);
  const loader = base().beginAdapter(file, config, scale);
  try {
    await pour(file, loading, (bytes) => instance.call(() => loader.push(bytes)));
    instance.call(() => loader.end());
    await file.confirm?.();
    files.finish();
    meter.stage("compile");
    const model = await base().finishAdapter(job, loader);
    meter.stage("ready");
    return model;
  } finally {
    instance.free(loader);
  }
}

/** The file of its weights, and what PEFT says of them. */
async function which({ files, choice }: AdapterLoading): Promise<{ name: string; config?: string }> {
  if (files.single !== undefined) return { name: files.single };
  if (choice.file === undefined && choice.quant === undefined) {
    const config = await readText(files, CONFIG);
    if (config !== undefined) return { name: WEIGHTS, config };
  }
  const names = await namesOf(files);
  if (ggufModels(names).length === 0) throw new AzulejoError("missing-file", `${CONFIG} is missing: it is not in ${files.place}`, { file: CONFIG });
  return { name: chooseGguf(names, choice, files.place)[0]! };
}

/** Those that there are, as far as anybody can tell. */
async function namesOf(files: Files): Promise<readonly string[]> {
  return files.names ?? (await files.list?.()) ?? [];
}

async function missing(name: string, files: Files): Promise<AzulejoError> {
  const pickled = (await namesOf(files)).includes("adapter_model.bin") ? "; adapter_model.bin is a pickle, which is not read" : "";
  return new AzulejoError("missing-file", `${name} is missing: it is not in ${files.place}${pickled}`, { file: name });
}

/** The file's bytes, with room for messages in between. */
async function pour(file: OpenFile, { job, meter, breath }: AdapterLoading, push: (bytes: Uint8Array) => void): Promise<void> {
  meter.begin(file);
  let begun = false;
  try {
    for await (const piece of file.pieces) {
      if (!begun) refusePointer(piece, file.name);
      begun = true;
      job.check();
      push(piece);
      meter.add(piece.length);
      await breath.take();
    }
  } finally {
    await file.close?.();
  }
  job.check();
  meter.end();
}
