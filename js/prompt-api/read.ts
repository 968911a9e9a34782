// Inputs and options of the Prompt API, read as its specification has it.

import type { GenerateOptions, Message } from "../shared/types.js";
import type { CoreOptions, PromptInput, PromptMessage, PromptOptions } from "./types.js";

export const notSupported = (message: string): DOMException => new DOMException(message, "NotSupportedError");

/** An input's messages, each time it is asked: an iterable may be read but once. */
export function listOf(input: PromptInput | unknown): PromptMessage[] {
  const isList = typeof input === "object" && input !== null && Symbol.iterator in input;
  return isList ? [...(input as Iterable<PromptMessage>)] : [{ role: "user", content: String(input) }];
}

/** The messages of an input. `isFirst`: nothing was said before. Error: TypeError for a system message that is not the first. */
export function messagesOf(given: PromptMessage[], isFirst: boolean): Message[] {
  return given.map(({ role, content, prefix = false }, at) => {
    if (!["system", "user", "assistant"].includes(role)) throw new TypeError(`${String(role)} is no role`);
    if (role === "system" && (at > 0 || !isFirst)) throw new TypeError("a system message comes first of all");
    if (prefix && (role !== "assistant" || at < given.length - 1)) throw new DOMException("a prefix is the last message, and the assistant's", "SyntaxError");
    return { role, content: typeof content === "object" ? [...content].map(textOf).join("") : String(content) };
  });
}

function textOf({ type, value }: { type: string; value: unknown }): string {
  if (type !== "text") throw notSupported(`contents of the type "${type}" are not supported`);
  return String(value);
}

/** Whether the last message is to be gone on with. */
export function hasPrefix(given: PromptMessage[]): boolean {
  return given.at(-1)?.prefix === true;
}

/** What is of ASCII alone in JavaScript, and of Unicode in Rust's regular expressions. */
const ASCII: Record<string, string> = { d: "[0-9]", D: "[^0-9]", w: "[A-Za-z0-9_]", W: "[^A-Za-z0-9_]" };

/** What an answer is held to, and what the model is told of it. */
export function constraintOf({ responseConstraint: constraint, omitResponseConstraintInput: omit = false }: PromptOptions, prefix: boolean): { options: GenerateOptions; told: string } {
  if (constraint === undefined) return { options: {}, told: "" };
  if (prefix) throw notSupported("a constraint together with a prefix is not supported");
  if (Object.prototype.toString.call(constraint) === "[object RegExp]") {
    const { source, flags } = constraint as RegExp;
    const [flag] = flags.replace(/[dgsuvy]/g, "");
    if (flag !== undefined) throw notSupported(`the flag "${flag}" of a constraint is not supported`);
    const regex = source.replace(/\\(.)/g, (escape, char: string) => ASCII[char] ?? escape);
    return { options: { regex: flags.includes("s") ? `(?s)${regex}` : regex }, told: "" };
  }
  let schema: string;
  try {
    schema = JSON.stringify(constraint);
  } catch (error) {
    throw notSupported(`the constraint is no JSON Schema: ${(error as Error).message}`);
  }
  return { options: { jsonSchema: JSON.parse(schema) as object }, told: omit ? "" : `\n\nAnswer with JSON of this schema: ${schema}` };
}

/** Whether a model of texts does. Error: RangeError for languages that are none. */
export function isSupported({ expectedInputs = [], expectedOutputs = [], tools = [], topK, temperature }: CoreOptions): boolean {
  const expected = [...expectedInputs, ...expectedOutputs];
  for (const { languages = [] } of expected) Intl.getCanonicalLocales(languages);
  const isSampled = (topK === undefined) === (temperature === undefined) && !(topK! < 1) && !(temperature! < 0);
  return expected.every(({ type }) => type === "text") && tools.length === 0 && isSampled;
}

/** How answers are drawn. Errors: as the specification has them for what is out of range. */
export function samplingOf({ topK, temperature }: CoreOptions): GenerateOptions {
  if (topK === undefined && temperature === undefined) return {};
  if (topK === undefined || temperature === undefined) throw notSupported("topK and temperature are given both, or neither");
  if (topK < 1 || temperature < 0) throw new RangeError("topK should be 1 or more, and temperature 0 or more");
  return { topK: Math.floor(topK), temperature };
}
