// OpenAI's parameters as ours. What is not known here is refused by its name, and nothing is passed over that would change
// an answer.

import { AzulejoError, invalid } from "../shared/errors.js";
import type { GenerateOptions, GenerationResult, Message, Tool, ToolCall } from "../shared/types.js";
import type { Chat, Completions, Shared, Usage } from "./types.js";

/** What says nothing of the answer. */
const PASSED_OVER = ["model", "user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "stream", "stream_options"];
const SHARED = ["max_tokens", "temperature", "top_p", "n", "stop", "seed", "presence_penalty", "frequency_penalty", "logit_bias"];
const CHAT = ["messages", "max_completion_tokens", "logprobs", "top_logprobs", "response_format", "tools", "tool_choice", "chat_template_kwargs", "parallel_tool_calls"];
const COMPLETIONS = ["prompt", "logprobs", "echo", "best_of", "suffix"];

/** Most choices of one call. */
const MOST_CHOICES = 16;

export function refuseUnknown(params: object, known: readonly string[]): void {
  const unknown = Object.entries(params).find(([name, value]) => value !== undefined && value !== null && ![...known, ...PASSED_OVER].includes(name));
  if (unknown !== undefined) throw invalid(`${unknown[0]}: not supported`);
}

/** Only what is given: `null` is as if it were absent. */
function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined && value !== null)) as T;
}

function listOf<T>(list: T[] | null | undefined, name: string): T[] | undefined {
  if (list != null && !Array.isArray(list)) throw invalid(`${name} should be an array`);
  return list ?? undefined;
}

/** OpenAI draws by default. */
function shared(params: Shared): GenerateOptions {
  const { stop, logit_bias: bias } = params;
  return given({
    maxTokens: params.max_tokens,
    temperature: params.temperature ?? 1,
    topP: params.top_p,
    seed: params.seed,
    stop: typeof stop === "string" ? [stop] : stop,
    presencePenalty: params.presence_penalty,
    frequencyPenalty: params.frequency_penalty,
    logitBias: bias,
  }) as GenerateOptions;
}

export function choices({ n }: Shared): number {
  const count = n ?? 1;
  if (!Number.isInteger(count) || count < 1 || count > MOST_CHOICES) throw invalid(`n should be a whole number from 1 to ${MOST_CHOICES}`);
  return count;
}

/** Choice `index` of several: with a seed each has its own. */
export function seeded(options: GenerateOptions, index: number): GenerateOptions {
  return options.seed === undefined ? options : { ...options, seed: options.seed + index };
}

export function chatOptions(params: Chat.Params): GenerateOptions {
  refuseUnknown(params, [...SHARED, ...CHAT]);
  const { response_format: format, tools, tool_choice: choice } = params;
  const parallel = (params as { parallel_tool_calls?: unknown }).parallel_tool_calls;
  if (parallel === false && tools != null) throw invalid("parallel_tool_calls: whether there are several is the model's choice");
  const jsonSchema = schemaOf(format);
  if (jsonSchema !== undefined && tools?.length && choice !== "none") throw invalid("response_format: an answer of a schema cannot call tools");
  return given({
    ...shared(params),
    ...(params.max_completion_tokens != null && { maxTokens: params.max_completion_tokens }),
    logprobs: params.logprobs ? (params.top_logprobs ?? 0) : undefined,
    jsonSchema,
    tools: listOf(tools, "tools")?.map(toolOf),
    toolChoice: choiceOf(choice),
    templateOptions: params.chat_template_kwargs,
  }) as GenerateOptions;
}

function choiceOf(choice: Chat.Params["tool_choice"]): GenerateOptions["toolChoice"] {
  if (typeof choice !== "object" || choice === null) return choice ?? undefined;
  if (choice.type !== "function" || typeof choice.function?.name !== "string") throw invalid(`tool_choice: ${JSON.stringify(choice)} is not supported`);
  return { name: choice.function.name };
}

function schemaOf(format: Chat.Params["response_format"]): object | undefined {
  if (format == null) return undefined;
  switch (format.type) {
    case "text":
      return undefined;
    case "json_object":
      return { type: "object" };
    case "json_schema":
      if (format.json_schema?.schema === undefined) throw invalid("response_format.json_schema.schema is missing");
      return format.json_schema.schema;
    default:
      throw invalid(`response_format: ${String((format as { type: unknown }).type)} is not supported`);
  }
}

function toolOf(tool: NonNullable<Chat.Params["tools"]>[number]): Tool {
  if (tool?.type !== "function" || typeof tool.function?.name !== "string") throw invalid("tools: expected functions with a name");
  // `strict` is what a forced call is anyway, and one of the model's own is not.
  const { name, description, parameters } = tool.function;
  return given({ name, description, parameters }) as Tool;
}

export function messagesOf({ messages }: Chat.Params): Message[] {
  if (!Array.isArray(messages) || messages.length === 0) throw invalid("messages should be an array of one at least");
  return messages.map((message) => {
    if (typeof message !== "object" || message === null) throw invalid("messages: expected objects");
    const { role, content, name, reasoning_content: reasoning, tool_calls: calls, tool_call_id: toolCallId } = message;
    return given({
      role: role as Message["role"],
      content: Array.isArray(content) ? content.map(partOf) : (content ?? null),
      name,
      reasoning,
      toolCalls: listOf(calls, "messages: tool_calls")?.map(writtenCallOf),
      toolCallId,
    }) as Message;
  }).map((message) => ({ ...message, content: message.content ?? null }));
}

function writtenCallOf(call: Chat.ToolCall): ToolCall {
  if (typeof call?.function?.name !== "string") throw invalid("messages: expected tool_calls of functions with a name");
  return { id: call.id, name: call.function.name, arguments: argumentsOf(call.function.arguments) };
}

function partOf(part: { type: string; text?: string }): { type: "text"; text: string } {
  if (part?.type === "text" && typeof part.text === "string") return { type: "text", text: part.text };
  throw new AzulejoError("unsupported-model", `messages: parts of the type ${JSON.stringify(part?.type)} are not supported`);
}

function argumentsOf(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}

/** The prompts of one call, each text or ids. */
export function promptsOf({ prompt }: Completions.Params): (string | number[])[] {
  if (typeof prompt === "string") return [prompt];
  if (!Array.isArray(prompt) || prompt.length === 0) throw invalid("prompt should be a string, an array of them, or token ids");
  return typeof prompt[0] === "number" ? [prompt as number[]] : (prompt as (string | number[])[]);
}

export function completionOptions(params: Completions.Params): GenerateOptions {
  refuseUnknown(params, [...SHARED, ...COMPLETIONS]);
  const { best_of: best, suffix } = params as { best_of?: number; suffix?: string };
  if (params.echo && params.logprobs != null) throw invalid("echo: a prompt has no logprobs here");
  if (best != null && best !== 1) throw invalid("best_of: not supported");
  if (suffix) throw invalid("suffix: not supported");
  // As OpenAI has it.
  return { ...shared(params), maxTokens: params.max_tokens ?? 16, ...(params.logprobs != null && { logprobs: params.logprobs }) };
}

export function usageOf(results: GenerationResult[], prompts = results): Usage {
  const sum = (of: GenerationResult[], what: (stats: GenerationResult["stats"]) => number) => of.reduce((sum, { stats }) => sum + what(stats), 0);
  const prompt = sum(prompts, ({ promptTokens }) => promptTokens);
  const made = sum(results, ({ generatedTokens }) => generatedTokens);
  return { prompt_tokens: prompt, completion_tokens: made, total_tokens: prompt + made, prompt_tokens_details: { cached_tokens: sum(prompts, ({ cachedTokens }) => cachedTokens) } };
}
