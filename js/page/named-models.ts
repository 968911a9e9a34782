// Models that callers know by names of their own: those of an adapter for another package's API.

import { AzulejoError, invalid } from "../shared/errors.js";
import type { CausalLM } from "./causal-lm.js";
import type { TextEmbedder } from "./text-embedder.js";

/** Models by the names that callers give them. */
export type NamedModels = Record<string, CausalLM | TextEmbedder>;

/** Errors: missing-file for a name that there is not, invalid-argument for a model of another kind. */
export function writerNamed(models: NamedModels, name: unknown): CausalLM {
  return named(models, name, "generate", "writes texts");
}

/** As `writerNamed`. */
export function embedderNamed(models: NamedModels, name: unknown): TextEmbedder {
  return named(models, name, "embed", "makes vectors");
}

function named<T>(models: NamedModels, name: unknown, verb: string, does: string): T {
  if (typeof name !== "string" || !Object.hasOwn(models, name))
    throw new AzulejoError("missing-file", `there is no model ${JSON.stringify(name)}: there are ${Object.keys(models).join(", ")}`);
  const model = models[name] as unknown as Record<string, unknown>;
  if (typeof model[verb] !== "function") throw invalid(`${JSON.stringify(name)} is no model that ${does}`);
  return model as T;
}
