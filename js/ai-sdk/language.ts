// A language model of the AI SDK's.

import type { CausalLM } from "../page/causal-lm.js";
import { runUntil, streamOf } from "../shared/streams.js";
import type { GeneratedToken, Generation, GenerationResult, ToolCall } from "../shared/types.js";
import { messagesOf, optionsOf } from "./read.js";
import type { CallOptions, Content, FinishReason, LanguageModel, Metadata, StreamPart, Usage, Warning } from "./types.js";

export function languageModel(modelId: string, lm: CausalLM): LanguageModel {
  const begin = (options: CallOptions) => {
    const { generate, warnings } = optionsOf(options);
    options.abortSignal?.throwIfAborted();
    return { generation: lm.generate(messagesOf(options.prompt), generate), warnings, metadata: { id: crypto.randomUUID(), timestamp: new Date(), modelId } };
  };
  return {
    specificationVersion: "v4",
    provider: "azulejo",
    modelId,
    supportedUrls: {},
    async doGenerate(options) {
      const { generation, warnings, metadata } = begin(options);
      const result = await generation;
      options.abortSignal?.throwIfAborted();
      return { content: contentOf(result), finishReason: finishOf(result), usage: usageOf(result), warnings, response: metadata };
    },
    async doStream(options) {
      const run = runUntil(options.abortSignal);
      return { stream: streamOf(parts(begin({ ...options, abortSignal: run.signal }), options.abortSignal), run) };
    },
  };
}

function contentOf({ text, reasoning, toolCalls = [] }: GenerationResult): Content[] {
  return [
    ...(reasoning !== undefined ? [{ type: "reasoning", text: reasoning } as const] : []),
    ...(text !== "" ? [{ type: "text", text } as const] : []),
    ...toolCalls.map(callOf),
  ];
}

const callOf = ({ id, name, arguments: given }: Partial<ToolCall>): Extract<Content, { type: "tool-call" }> => ({ type: "tool-call", toolCallId: id!, toolName: name!, input: JSON.stringify(given) });

function finishOf({ finishReason }: GenerationResult): FinishReason {
  const unified = { end: "stop", stop: "stop", length: "length", "tool-calls": "tool-calls", aborted: "other" } as const;
  return { unified: unified[finishReason], raw: finishReason };
}

function usageOf({ stats: { promptTokens, cachedTokens, generatedTokens } }: GenerationResult): Usage {
  return {
    inputTokens: { total: promptTokens, noCache: promptTokens - cachedTokens, cacheRead: cachedTokens, cacheWrite: undefined },
    outputTokens: { total: generatedTokens, text: undefined, reasoning: undefined },
  };
}

interface Begun {
  generation: Generation;
  warnings: Warning[];
  metadata: Metadata;
}

async function* parts({ generation, warnings, metadata }: Begun, signal: AbortSignal | undefined): AsyncGenerator<StreamPart> {
  yield { type: "stream-start", warnings };
  yield { type: "response-metadata", ...metadata };
  // Text and reasoning are in blocks, each with its number.
  let [open, blocks]: ["text" | "reasoning" | undefined, number] = [undefined, 0];
  const close = (): StreamPart[] => (open === undefined ? [] : [{ type: `${open}-end`, id: String(blocks) }]);
  for await (const token of generation) {
    if (token.toolCall !== undefined && "arguments" in token.toolCall) {
      yield* close();
      open = undefined;
      yield* callParts(token.toolCall);
    } else if (token.text !== "" && token.kind !== "tool-call") {
      const kind = token.kind ?? "text";
      if (kind !== open) {
        yield* close();
        open = kind;
        yield { type: `${kind}-start`, id: String(++blocks) };
      }
      yield { type: `${kind}-delta`, id: String(blocks), delta: token.text };
    }
  }
  yield* close();
  const result = await generation;
  signal?.throwIfAborted();
  yield { type: "finish", usage: usageOf(result), finishReason: finishOf(result) };
}

/** A whole call: what only begins like one is none. */
function* callParts(call: NonNullable<GeneratedToken["toolCall"]>): Generator<StreamPart> {
  const whole = callOf(call);
  const id = whole.toolCallId;
  yield { type: "tool-input-start", id, toolName: whole.toolName };
  yield { type: "tool-input-delta", id, delta: whole.input };
  yield { type: "tool-input-end", id };
  yield whole;
}
