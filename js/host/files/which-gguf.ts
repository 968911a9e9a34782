// Which of a folder's GGUF files is meant: the caller says it where there are several.

import { AzulejoError, invalid } from "../../shared/errors.js";

export interface Choice {
  /** The file's name. */
  file?: string;
  /** What its name says of the quantisation: "Q4_K_M". */
  quant?: string;
}

/** A model: one file, or all its shards in order. */
type Model = string[];

const SHARD = /^(.*-)\d{5}(-of-\d{5}\.gguf)$/i;
export const isShard = (name: string) => SHARD.test(name);

/** macOS leaves "._name" beside a file on disks that are not its own. */
const isHidden = (name: string) => /(^|\/)\._[^/]*$/.test(name);

/** What goes with a model that sees, and is none. */
const isProjector = (name: string) => /mmproj|projector/i.test(name);

export function ggufModels(names: readonly string[]): Model[] {
  const models = new Map<string, Model>();
  for (const name of names.filter((name) => /\.gguf$/i.test(name) && !isHidden(name)).sort()) {
    const [, stem, end] = SHARD.exec(name) ?? [];
    const model = stem === undefined ? name : stem + end;
    models.set(model, [...(models.get(model) ?? []), name]);
  }
  return [...models.values()];
}

/** `place`: where the names are, for messages. */
export function chooseGguf(names: readonly string[], { file, quant }: Choice, place: string): Model {
  const models = ggufModels(names);
  if (file !== undefined) {
    const found = models.find((model) => model.includes(file));
    if (found !== undefined) return found;
    throw invalid(`${JSON.stringify(file)} is not in ${place}${list(models)}`);
  }
  if (quant !== undefined) {
    const said = new RegExp(`(^|[-._/])${quant.replace(/[^\w]/g, "\\$&")}([-._/]|$)`, "i");
    const found = models.filter(([name]) => said.test(name!) && !isProjector(name!));
    if (found.length === 1) return found[0]!;
    const wanted = JSON.stringify(quant);
    if (found.length === 0) throw invalid(`no GGUF file in ${place} is ${wanted} by its name${list(models)}`);
    throw invalid(`${found.length} files in ${place} are ${wanted}: say with "file" which is meant${list(found)}`);
  }
  if (models.length === 1) return models[0]!;
  if (models.length === 0) throw new AzulejoError("missing-file", `there is no GGUF file in ${place}`);
  throw invalid(`there are ${models.length} GGUF files in ${place}: say with "file" or "quant" which is meant${list(models)}`);
}

const MOST_LISTED = 20;

function list(models: Model[]): string {
  if (models.length === 0) return "";
  const more = models.length > MOST_LISTED ? `, and ${models.length - MOST_LISTED} more` : "";
  return `: ${models.slice(0, MOST_LISTED).map(([name]) => name).join(", ")}${more}`;
}
