// The AI SDK's options and prompts as ours.

import { AzulejoError } from "../shared/errors.js";
import type { GenerateOptions, Message, Tool } from "../shared/types.js";
import type { CallOptions, Part, PromptMessage, Warning } from "./types.js";

/** What is not kept is told in warnings, as the SDK wants it. */
export function optionsOf(options: CallOptions): { generate: GenerateOptions; warnings: Warning[] } {
  const warnings: Warning[] = [];
  const unsupported = (feature: string, details?: string) => void warnings.push({ type: "unsupported", feature, ...(details !== undefined && { details }) });
  const { responseFormat: format, toolChoice: choice, reasoning } = options;
  if (reasoning !== undefined && reasoning !== "provider-default") unsupported("reasoning", "providerOptions.azulejo.templateOptions has the chat template's own switches");
  const tools = options.tools?.flatMap((tool): Tool[] => {
    if (tool.strict && choice?.type !== "required" && choice?.type !== "tool") unsupported(`tool ${tool.name}: strict`, "only a forced call's input is sure to be of its schema");
    if (tool.inputExamples?.length) unsupported(`tool ${tool.name}: inputExamples`, "chat templates know none");
    if (tool.type === "function") return [{ name: tool.name, description: tool.description, parameters: tool.inputSchema }];
    unsupported(`tool ${tool.name}`, "only functions can be called");
    return [];
  });
  const isJson = format?.type === "json";
  if (isJson && tools?.length) unsupported("tools with a response format", "the answer is of the format, and calls nothing");
  const callable = !isJson && tools !== undefined && tools.length > 0;
  const generate: GenerateOptions = {
    maxTokens: options.maxOutputTokens,
    temperature: options.temperature,
    topK: options.topK,
    topP: options.topP,
    presencePenalty: options.presencePenalty,
    frequencyPenalty: options.frequencyPenalty,
    seed: options.seed,
    stop: options.stopSequences,
    signal: options.abortSignal,
    ...(isJson && { jsonSchema: format.schema ?? { type: "object" } }),
    ...(callable && { tools, toolChoice: choice?.type === "tool" ? { name: choice.toolName } : choice?.type }),
    // What only we have: minP, regex, grammar, templateOptions, …
    ...(options.providerOptions?.azulejo as GenerateOptions | undefined),
  };
  return { generate, warnings };
}

export const messagesOf = (prompt: PromptMessage[]): Message[] => prompt.flatMap(messageOf);

function messageOf(message: PromptMessage): Message[] {
  if (message.role === "system") return [{ role: "system", content: message.content }];
  const { role, content } = message;
  if (role === "tool") return content.flatMap(resultOf);
  const text = content.map((part) => (part.type === "text" ? part.text : known(part, role))).join("");
  if (role === "user") return [{ role, content: text }];
  const reasoning = content.map((part) => (part.type === "reasoning" ? part.text : "")).join("");
  const calls = content.flatMap((part) => (part.type === "tool-call" ? [{ id: part.toolCallId, name: part.toolName, arguments: part.input }] : []));
  return [{ role, content: text, ...(reasoning !== "" && { reasoning }), ...(calls.length > 0 && { toolCalls: calls }) }];
}

/** What has no text of the message's own; anything else cannot be read. */
function known({ type }: Part, role: string): "" {
  if (role === "assistant" && (type === "reasoning" || type === "tool-call")) return "";
  throw new AzulejoError("unsupported-model", `prompt: parts of the type "${type}" are not supported`);
}

function resultOf(part: Part): Message[] {
  if (part.type === "tool-approval-response") return [];
  if (part.type !== "tool-result") throw new AzulejoError("unsupported-model", `prompt: parts of the type "${part.type}" are not supported`);
  const { toolCallId, toolName: name, output } = part;
  return [{ role: "tool", name, toolCallId, content: textOf(output) }];
}

function textOf(output: Extract<Part, { type: "tool-result" }>["output"]): string {
  switch (output.type) {
    case "text":
    case "error-text":
      return output.value;
    case "json":
    case "error-json":
      return JSON.stringify(output.value);
    case "execution-denied":
      return output.reason ?? "denied";
    case "content":
      return output.value.map(({ type, text }) => {
        if (type !== "text") throw new AzulejoError("unsupported-model", `a tool's result of the type "${type}" is not supported`);
        return text ?? "";
      }).join("\n");
  }
}
