// Conversations: what a message, a tool and a template's option may be, and how they go to the core.

import { AzulejoError, invalid } from "../shared/errors.js";
import type { WireChat } from "../shared/protocol.js";
import type { ChatOptions, ChatTemplateOptions, ContentPart, Message, Tool, ToolCall } from "../shared/types.js";
import { optionsOf } from "./options.js";
import { checkFlag, checkList, checkOptions, checkText, describe } from "./validate.js";

const ROLES = ["system", "developer", "user", "assistant", "tool"];

/** The options of calls that take messages. */
export const CHAT = {
  tools: checkTools,
  templateOptions: (value: unknown, name: string) => {
    checkOptions(value, name);
    return plain(value, name) as Record<string, unknown>;
  },
  allowSpecial: checkFlag,
  continueFinalMessage: checkFlag,
};

const readMessage = /* @__PURE__ */ optionsOf<Message>("a message", {
  role: (role, name) => {
    if (!ROLES.includes(role as string)) throw invalid(`${name} should be one of ${ROLES.join(", ")}, not ${describe(role)}`);
    return role as Message["role"];
  },
  content: checkContent,
  name: wellFormed,
  reasoning: wellFormed,
  toolCalls: (calls, name) => checkList(calls, name, "tool calls", (call, name) => record(readCall, call, name, ["name"])),
  toolCallId: wellFormed,
});

const readTool = /* @__PURE__ */ optionsOf<Tool>("a tool", {
  name: wellFormed,
  description: wellFormed,
  parameters: (value, name) => {
    checkOptions(value, name);
    return plain(value, name) as object;
  },
});

const readCall = /* @__PURE__ */ optionsOf<ToolCall>("a tool call", { id: wellFormed, name: wellFormed, arguments: plain });

const readText = /* @__PURE__ */ optionsOf<{ type: "text"; text: string }>("a part", {
  type: (type) => type as "text",
  text: wellFormed,
});

/** A conversation on its way to the core; `name` is what messages call it. */
export function checkChat(messages: unknown, name: string, options: ChatTemplateOptions): WireChat {
  const checked = checkList(messages, name, "messages", (message, name) => record(readMessage, message, name, ["role", "content"]));
  if (checked.length === 0) throw invalid(`${name} has no messages`);
  const addGenerationPrompt = !options.continueFinalMessage;
  return { chat: JSON.stringify({ messages: checked, addGenerationPrompt, ...options }) };
}

/** What only a conversation has a use for. */
export function refuseChatOptions(options: ChatOptions): void {
  const [given] = Object.keys(options);
  if (given !== undefined) throw invalid(`${given}: for prompts of messages, which go through the chat template`);
}

function checkTools(tools: unknown, name: string): Tool[] {
  return checkList(tools, name, "tools", (tool, name) => record(readTool, tool, name, ["name"]));
}

/** An object with these fields at least. */
function record<T extends object>(read: (given: T, name: string) => T, value: unknown, name: string, needed: (keyof T)[]): T {
  checkOptions(value, name);
  const checked = read(value as T, name);
  for (const key of needed) if (checked[key] === undefined) throw invalid(`${name}.${String(key)} is missing`);
  return checked;
}

function checkContent(content: unknown, name: string): string | ContentPart[] | null {
  if (content === null) return null;
  if (typeof content === "string") return wellFormed(content, name);
  if (!Array.isArray(content)) throw invalid(`${name} should be a string, an array of parts or null, not ${describe(content)}`);
  return checkList(content, name, "parts", (part, name) => {
    checkOptions(part, name);
    const { type } = part as Partial<ContentPart>;
    if (type === "image") throw new AzulejoError("unsupported-model", `${name} is an image, and this model takes text only`);
    if (type !== "text") throw invalid(`${name}.type should be "text" or "image", not ${describe(type)}`);
    return record(readText, part, name, ["text"]);
  });
}

/** Half a character that stands alone is none: it becomes U+FFFD, as in every encoder of texts. */
function wellFormed(text: unknown, name: string): string {
  return checkText(text, name).replace(/\p{Surrogate}/gu, "\ufffd");
}

/** As deep as JSON is read. */
const DEEPEST = 100;

/** A copy of what JSON can say; anything else would be lost on the way. */
export function plain(value: unknown, name: string, depth = 0): unknown {
  if (depth > DEEPEST) throw invalid(`${name.slice(0, 80)}… is nested more than ${DEEPEST} deep`);
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return wellFormed(value, name);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return checkList(value, name, "values", (entry, name) => plain(entry, name, depth + 1));
  if (isPlainObject(value)) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return Object.fromEntries(fields.map(([key, field]) => [wellFormed(key, name), plain(field, `${name}.${key}`, depth + 1)]));
  }
  throw invalid(`${name} is ${describe(value)}, which JSON cannot say`);
}

/** No date, map or class of somebody's: of any realm. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

