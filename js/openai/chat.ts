// Chat completions.

import type { CausalLM } from "../page/causal-lm.js";
import type { GeneratedToken, Generation, GenerationResult, ToolCall } from "../shared/types.js";
import { chatOptions, choices, messagesOf, seeded, usageOf } from "./read.js";
import { interleaved, newId, now } from "./streams.js";
import type { Chat } from "./types.js";

interface Begun {
  head: { id: string; created: number; model: string };
  generations: Generation[];
}

function begin(lm: CausalLM, params: Chat.Params, signal: AbortSignal): Begun {
  const [options, messages] = [chatOptions(params), messagesOf(params)];
  const generate = (_: unknown, index: number) => lm.generate(messages, { ...seeded(options, index), signal });
  return { head: { id: newId("chatcmpl"), created: now(), model: params.model }, generations: Array.from({ length: choices(params) }, generate) };
}

export async function complete(lm: CausalLM, params: Chat.Params, signal: AbortSignal): Promise<Chat.Completion> {
  const { head, generations } = begin(lm, params, signal);
  const results = await Promise.all(generations);
  signal.throwIfAborted();
  const all = await Promise.all(results.map(async (result, index) => {
    const tokens: GeneratedToken[] = [];
    if (params.logprobs) for await (const token of generations[index]!) tokens.push(token);
    return choiceOf(result, index, params.logprobs ? tokens : undefined);
  }));
  return { ...head, object: "chat.completion", choices: all, usage: usageOf(results, results.slice(0, 1)) };
}

function choiceOf(result: GenerationResult, index: number, tokens: GeneratedToken[] | undefined): Chat.Completion["choices"][number] {
  const { text, reasoning, toolCalls } = result;
  return {
    index,
    message: {
      role: "assistant",
      content: text === "" && toolCalls !== undefined ? null : text,
      refusal: null,
      ...(reasoning !== undefined && { reasoning_content: reasoning }),
      ...(toolCalls !== undefined && { tool_calls: toolCalls.map(callOf) }),
    },
    logprobs: tokens === undefined ? null : logprobsOf(tokens),
    finish_reason: finishOf(result),
  };
}

export async function* stream(lm: CausalLM, params: Chat.Params, signal: AbortSignal): AsyncGenerator<Chat.Chunk> {
  const { head, generations } = begin(lm, params, signal);
  const withUsage = params.stream_options?.include_usage ?? false;
  const chunk = (index: number, delta: Chat.Delta, finish: Chat.FinishReason | null = null, logprobs: Chat.Logprobs | null = null): Chat.Chunk =>
    ({ ...head, object: "chat.completion.chunk", choices: [{ index, delta, logprobs, finish_reason: finish }], ...(withUsage && { usage: null }) });
  const tokens = interleaved(generations);
  // Behind the first token: what is refused fails before anything is said.
  let step = await tokens.next();
  for (const index of generations.keys()) yield chunk(index, { role: "assistant", content: "" });
  const called = generations.map(() => 0);
  for (; !step.done; step = await tokens.next()) {
    const { index, token } = step.value;
    const isCall = token.toolCall !== undefined && "arguments" in token.toolCall;
    const delta = deltaOf(token, isCall ? called[index]!++ : undefined);
    const logprobs = params.logprobs && token.logprob !== undefined ? logprobsOf([token]) : null;
    if (delta !== undefined || logprobs !== null) yield chunk(index, delta ?? {}, null, logprobs);
  }
  const results = await Promise.all(generations);
  signal.throwIfAborted();
  for (const [index, result] of results.entries()) yield chunk(index, {}, finishOf(result));
  if (withUsage) yield { ...head, object: "chat.completion.chunk", choices: [], usage: usageOf(results, results.slice(0, 1)) };
}

/** `call`: which of the answer's calls it has. They come whole: what only begins like one is none. */
function deltaOf({ text, kind, toolCall }: GeneratedToken, call: number | undefined): Chat.Delta | undefined {
  if (call !== undefined) return { tool_calls: [{ index: call, ...callOf(toolCall as ToolCall) }] };
  if (text === "" || kind === "tool-call") return undefined;
  return kind === "reasoning" ? { reasoning_content: text } : { content: text };
}

const callOf = ({ id, name, arguments: given }: ToolCall): Chat.ToolCall => ({ id: id!, type: "function", function: { name, arguments: JSON.stringify(given) } });

function finishOf({ finishReason }: GenerationResult): Chat.FinishReason {
  return finishReason === "tool-calls" ? "tool_calls" : finishReason === "length" ? "length" : "stop";
}

function logprobsOf(tokens: GeneratedToken[]): Chat.Logprobs {
  const one = ({ text, logprob }: { text: string; logprob?: number | undefined }) => ({ token: text, logprob: logprob!, bytes: [...new TextEncoder().encode(text)] });
  const known = tokens.filter(({ logprob }) => logprob !== undefined);
  return { content: known.map((token) => ({ ...one(token), top_logprobs: (token.alternatives ?? []).map(one) })), refusal: null };
}
