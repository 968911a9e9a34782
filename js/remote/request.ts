// Our options and messages as OpenAI's API has them, and as the server at hand calls what that lacks.

import { AzulejoError, invalid } from "../shared/errors.js";
import type { Calls, WireAnswer, WireGenerateOptions } from "../shared/protocol.js";
import type { ChatTemplateOptions, Message, Tool, ToolCall } from "../shared/types.js";
import type { Dialect } from "./dialects.js";

/** What a server does where it is told nothing is its own affair: ours is said, unless the caller wants theirs. */
const NEUTRAL: Readonly<Record<string, unknown>> = {
  temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0,
  ignoreEnd: false, minTokens: 0, noRepeatNgram: 0, draft: "off",
};
/** Of these; the others are no server's default. */
const SAID = ["temperature", "topK", "topP", "minP", "repetitionPenalty"];

export interface Request {
  path: "/chat/completions" | "/completions";
  body: Record<string, unknown>;
}

/** Throws "unsupported-model" for what the server lacks. */
export function requestOf({ prompt, options }: Pick<Calls["generate"]["takes"], "prompt" | "options">, model: string, dialect: Dialect): Request {
  const isChat = typeof prompt === "object" && "chat" in prompt;
  const { constraint, answer, logprobs, useDefaults = false, ...plain } = options as WireGenerateOptions;
  const body: Record<string, unknown> = { model, stream: true, ...dialect.always, ...fieldsOf(plain, useDefaults, dialect) };
  if (constraint !== undefined) {
    const said = dialect.constrain(constraint, isChat);
    if (said === undefined) throw lacking(`${OPTION_OF[constraint.kind]} for ${isChat ? "messages" : "a text"}`, dialect);
    Object.assign(body, said);
  }
  // One at least: where none is asked for, some servers tell of no token at all.
  const best = logprobs === undefined ? undefined : Math.max(1, logprobs);
  if (isChat) {
    const chat = JSON.parse(prompt.chat) as Chat;
    if (best !== undefined) Object.assign(body, { logprobs: true, top_logprobs: best });
    return { path: "/chat/completions", body: Object.assign(body, conversation(chat, answer, dialect)) };
  }
  if (typeof prompt !== "string" && !dialect.ids) throw lacking("a prompt of token ids", dialect);
  if (body["max_tokens"] === undefined) {
    if (dialect.unbounded === undefined) throw lacking("a text without maxTokens, which ends after 16 tokens there,", dialect);
    body["max_tokens"] = dialect.unbounded;
  }
  return { path: "/completions", body: { ...body, prompt: typeof prompt === "string" ? prompt : [...prompt], ...(best !== undefined && { logprobs: best }) } };
}

const OPTION_OF = { jsonSchema: "jsonSchema", regex: "regex", lark: "grammar (Lark)", gbnf: "grammar (GBNF)", toolChoice: "toolChoice" };

export function lacking(what: string, { software }: Pick<Dialect, "software">): AzulejoError {
  return new AzulejoError("unsupported-model", `${what}: not to be had of ${software}`);
}

function fieldsOf(options: object, useDefaults: boolean, dialect: Dialect): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  if (!useDefaults) for (const name of SAID) if (dialect.fields[name] !== undefined) fields[dialect.fields[name]] = NEUTRAL[name];
  for (const [name, value] of Object.entries(options)) {
    const field = dialect.fields[name];
    if (field !== undefined) fields[field] = name === "logitBias" ? biases(value as Record<number, number>) : value;
    else if (value !== NEUTRAL[name]) throw lacking(name, dialect);
  }
  return fields;
}

/** JSON has no infinity; OpenAI's -100 keeps a token from coming, and its 100 has it come. */
function biases(given: Record<number, number>): Record<number, number> {
  return Object.fromEntries(Object.entries(given).map(([id, bias]) => [id, Number.isFinite(bias) ? bias : 100 * Math.sign(bias)]));
}

/** As `checkChat` has written it. */
type Chat = ChatTemplateOptions & { messages: Message[] };

function conversation({ messages, tools, templateOptions, continueFinalMessage, allowSpecial }: Chat, answer: WireAnswer | undefined, dialect: Dialect): object {
  if (allowSpecial !== undefined) throw lacking("allowSpecial, as the server reads messages in its own way,", dialect);
  if (templateOptions !== undefined && !dialect.templateOptions) throw lacking("templateOptions", dialect);
  if (continueFinalMessage && dialect.continued === undefined) throw lacking("continueFinalMessage", dialect);
  const forced = answer?.forced;
  if (tools !== undefined && tools.length > 0 && dialect.tools === "one" && forced?.length !== 1)
    throw lacking("tools but for one that toolChoice names", dialect);
  return {
    messages: messages.map(messageOf),
    ...(tools !== undefined && tools.length > 0 && { tools: tools.map(toolOf), tool_choice: choiceOf(forced) }),
    ...(templateOptions !== undefined && { chat_template_kwargs: templateOptions }),
    ...(continueFinalMessage && dialect.continued),
  };
}

function choiceOf(forced: Tool[] | undefined): unknown {
  if (forced === undefined) return "auto";
  return forced.length === 1 ? { type: "function", function: { name: forced[0]!.name } } : "required";
}

const toolOf = ({ name, description, parameters }: Tool) => ({
  type: "function",
  function: { name, ...(description !== undefined && { description }), parameters: parameters ?? { type: "object", properties: {} } },
});

function messageOf({ role, content, name, reasoning, toolCalls, toolCallId }: Message): object {
  return {
    role,
    content,
    ...(name !== undefined && { name }),
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(toolCalls !== undefined && { tool_calls: toolCalls.map(callOf) }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
  };
}

function callOf({ id, name, arguments: given = {} }: ToolCall): object {
  if (id === undefined) throw invalid("a tool call in the messages has no id, by which a server knows its answer");
  return { id, type: "function", function: { name, arguments: JSON.stringify(given) } };
}
