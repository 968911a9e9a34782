// A client over models in the page, and the same as a `fetch`: whoever speaks OpenAI's API reaches them.

import type { CausalLM } from "../page/causal-lm.js";
import { embedderNamed, writerNamed, type NamedModels } from "../page/named-models.js";
import { runUntil } from "../shared/streams.js";
import * as chat from "./chat.js";
import * as completions from "./completions.js";
import { embed } from "./embeddings.js";
import { handle } from "./http.js";
import { ending, now } from "./streams.js";
import type { Chat, Completions, Embeddings, OpenAIClient, Requested } from "./types.js";

/** Models by the names that callers give them. */
export type OpenAIModels = NamedModels;

/**
 * OpenAI's API over `models`. Its own defaults hold: answers are drawn with a temperature of 1. What is not supported is
 * refused by its name; images and audio are not.
 */
export function openai(models: OpenAIModels): OpenAIClient {
  const created = now();
  const create = <P extends { model: string; stream?: boolean | null }>(kind: { stream(lm: CausalLM, params: P, signal: AbortSignal): AsyncGenerator; complete(lm: CausalLM, params: P, signal: AbortSignal): Promise<unknown> }) =>
    async (params: P, { signal }: Requested = {}) => {
      const lm = writerNamed(models, params?.model);
      const run = runUntil(signal);
      // Where one choice fails, or whoever reads them leaves, none goes on.
      return params.stream ? ending(kind.stream(lm, params, run.signal), run) : kind.complete(lm, params, run.signal).finally(run.end);
    };
  const client = {
    chat: { completions: { create: create<Chat.Params>(chat) } },
    completions: { create: create<Completions.Params>(completions) },
    embeddings: { create: async (params: Embeddings.Params, { signal }: Requested = {}) => embed(embedderNamed(models, params?.model), params, signal) },
    models: { list: async () => ({ object: "list", data: Object.keys(models).map((id) => ({ id, object: "model", created, owned_by: "the page" })) }) },
  } as unknown as Omit<OpenAIClient, "fetch">;
  return { ...client, fetch: (input, init) => handle(client, new Request(input, init)) };
}
