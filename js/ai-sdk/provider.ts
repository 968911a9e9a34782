// Models in the page as a provider of the AI SDK's.

import { embedderNamed, writerNamed, type NamedModels } from "../page/named-models.js";
import type { TextEmbedder } from "../page/text-embedder.js";
import { AzulejoError } from "../shared/errors.js";
import { languageModel } from "./language.js";
import type { EmbeddingModel, LanguageModel } from "./types.js";

/** Models by the names that callers give them. */
export type AzulejoModels = NamedModels;

/** The AI SDK's `ProviderV4`; called with a name it gives the language model of that name. */
export interface AzulejoProvider {
  /** The language model of that name. Errors: "missing-file" where there is none, "invalid-argument" for an embedder. */
  (modelId: string): LanguageModel;
  /** Of the AI SDK's interface. */
  readonly specificationVersion: "v4";
  /** As calling the provider. */
  languageModel(modelId: string): LanguageModel;
  /** The embedder of that name. Errors: "missing-file" where there is none, "invalid-argument" for a language model. */
  embeddingModel(modelId: string): EmbeddingModel;
  /** Refused with "unsupported-model": no model here makes images. */
  imageModel(modelId: string): never;
}

/** `generateText({ model: azulejo({ smollm: lm })("smollm"), prompt })`. */
export function azulejo(models: AzulejoModels): AzulejoProvider {
  const language = (id: string) => languageModel(id, writerNamed(models, id));
  return Object.assign((id: string) => language(id), {
    specificationVersion: "v4" as const,
    languageModel: language,
    embeddingModel: (id: string) => embeddingModel(id, embedderNamed(models, id)),
    imageModel: (id: string): never => {
      throw new AzulejoError("unsupported-model", `${JSON.stringify(id)}: no model here makes images`);
    },
  });
}

function embeddingModel(modelId: string, embedder: TextEmbedder): EmbeddingModel {
  return {
    specificationVersion: "v4",
    provider: "azulejo",
    modelId,
    maxEmbeddingsPerCall: 256,
    supportsParallelCalls: true,
    async doEmbed({ values, abortSignal }) {
      const { data, dims } = await embedder.embed(values, { signal: abortSignal });
      const width = dims[1]!;
      const counts = await Promise.all(values.map((text) => embedder.tokenizer.encode(text)));
      return {
        embeddings: values.map((_, row) => [...data.slice(row * width, (row + 1) * width)]),
        usage: { tokens: counts.reduce((sum, { length }) => sum + length, 0) },
        warnings: [],
      };
    },
  };
}
