// A client over models in the page, and the same as a `fetch`: whoever speaks OpenAI's API reaches them.

import type { CausalLM } from "../page/causal-lm.js";
import type { TextEmbedder } from "../page/text-embedder.js";
import { AzulejoError } from "../shared/errors.js";
import * as chat from "./chat.js";
import * as completions from "./completions.js";
import { embed } from "./embeddings.js";
import { handle } from "./http.js";
import { now } from "./streams.js";
import type { Chat, Completions, Embeddings, OpenAIClient, Requested } from "./types.js";

/** Models by the names that callers give them. */
export type OpenAIModels = Record<string, CausalLM | TextEmbedder>;

/**
 * OpenAI's API over `models`. Its own defaults hold: answers are drawn with a temperature of 1. What is not supported is
 * refused by its name; images and audio are not.
 */
export function openai(models: OpenAIModels): OpenAIClient {
  const named = (model: unknown): CausalLM | TextEmbedder => {
    if (typeof model === "string" && Object.hasOwn(models, model)) return models[model]!;
    throw new AzulejoError("missing-file", `there is no model ${JSON.stringify(model)}: there are ${Object.keys(models).join(", ")}`);
  };
  const writer = (model: unknown): CausalLM => as(named(model), "generate", "writes texts");
  const created = now();
  const create = <P extends { model: string; stream?: boolean | null }>(kind: { stream(lm: CausalLM, params: P, signal?: AbortSignal): unknown; complete(lm: CausalLM, params: P, signal?: AbortSignal): unknown }) =>
    async (params: P, { signal }: Requested = {}) => {
      const lm = writer(params?.model);
      return params.stream ? kind.stream(lm, params, signal) : kind.complete(lm, params, signal);
    };
  const client = {
    chat: { completions: { create: create<Chat.Params>(chat) } },
    completions: { create: create<Completions.Params>(completions) },
    embeddings: { create: async (params: Embeddings.Params, { signal }: Requested = {}) => embed(as(named(params?.model), "embed", "makes vectors"), params, signal) },
    models: { list: async () => ({ object: "list", data: Object.keys(models).map((id) => ({ id, object: "model", created, owned_by: "the page" })) }) },
  } as unknown as Omit<OpenAIClient, "fetch">;
  return { ...client, fetch: (input, init) => handle(client, new Request(input, init)) };
}

function as<T>(model: CausalLM | TextEmbedder, verb: string, does: string): T {
  if (typeof (model as unknown as Record<string, unknown>)[verb] === "function") return model as T;
  throw new AzulejoError("invalid-argument", `this model is none that ${does}`);
}
