// The forms that families answer in. The chat template gives it away: it writes earlier calls as the model has learnt to.

import type { Tool } from "../../shared/types.js";
import { GEMMA_CALLS, JSON_CALLS, MISTRAL_CALLS, PYTHON_CALLS, TAGGED_CALLS } from "./bodies.js";
import { HarmonyReader } from "./harmony.js";
import type { Reader } from "./parts.js";
import { SectionReader, type Sections } from "./sections.js";

export type FormName = "harmony" | "pythonic" | "gemma" | "mistral" | "mistral-arguments" | "phi" | "granite" | "function-tags" | "tagged" | "llama" | "json";

/** By what a template has in it, the most telling first. */
const SIGNS: [FormName, (template: string) => boolean][] = [
  ["harmony", (template) => template.includes("<|channel|>") && template.includes("<|message|>")],
  ["pythonic", (template) => template.includes("<|tool_call_start|>") || template.includes("<|tool_list_start|>")],
  ["gemma", (template) => template.includes("<start_function_call>") || template.includes("<tool_call|>")],
  ["mistral-arguments", (template) => template.includes("[TOOL_CALLS]") && template.includes("[ARGS]")],
  ["mistral", (template) => template.includes("[TOOL_CALLS]")],
  ["phi", (template) => template.includes("<|/tool_call|>")],
  ["granite", (template) => template.includes("<|tool_call|>")],
  ["function-tags", (template) => template.includes("<tool_call>") && template.includes("<function=")],
  ["tagged", (template) => template.includes("<tool_call>")],
  ["llama", (template) => template.includes("<|python_tag|>") || template.includes('"parameters": ')],
];

export interface Form {
  name: FormName;
  /** Of a call; empty where it has no marks. */
  marks: { open: string; close: string };
  thinks: boolean;
  /** What stands between a call's name and its arguments: Mistral's. */
  hasCallIds: boolean;
}

export function formOf(template: string): Form {
  const name = SIGNS.find(([, is]) => is(template))?.[0] ?? "json";
  const thinks = /<\/?think>/.test(template) || (name === "gemma" && template.includes("<|channel>"));
  return { name, marks: marksOf(name, template), thinks, hasCallIds: template.includes("[CALL_ID]") };
}

function marksOf(name: FormName, template: string): Form["marks"] {
  switch (name) {
    case "pythonic":
      return { open: "<|tool_call_start|>", close: "<|tool_call_end|>" };
    case "gemma":
      if (template.includes("<start_function_call>")) return { open: "<start_function_call>", close: "<end_function_call>" };
      return { open: "<|tool_call>", close: "<tool_call|>" };
    case "mistral":
    case "mistral-arguments":
      return { open: "[TOOL_CALLS]", close: "" };
    case "phi":
      return { open: "<|tool_call|>", close: "<|/tool_call|>" };
    case "granite":
      return { open: "<|tool_call|>", close: "" };
    case "tagged":
    case "function-tags":
      return { open: "<tool_call>", close: "</tool_call>" };
    default:
      return { open: "", close: "" };
  }
}

const BODIES = {
  pythonic: PYTHON_CALLS,
  gemma: GEMMA_CALLS,
  mistral: MISTRAL_CALLS,
  "mistral-arguments": MISTRAL_CALLS,
  phi: JSON_CALLS,
  granite: JSON_CALLS,
  tagged: TAGGED_CALLS,
  "function-tags": TAGGED_CALLS,
};

const THOUGHTS = { open: "<think>", close: "</think>" };
const GEMMA_THOUGHTS = { open: "<|channel>thought\n", close: "<channel|>" };

/** What tells an answer's parts apart; none where it has but one. `prompt`: its end. `continued`: the message that it goes on with. */
export function readerOf(form: Form, tools: readonly Tool[], prompt: string, continued?: string): Reader | undefined {
  if (form.name === "harmony") return new HarmonyReader(tools.length > 0, continued !== undefined);
  const reasoning = !form.thinks ? undefined : form.name === "gemma" ? GEMMA_THOUGHTS : THOUGHTS;
  const sections: Sections = { reasoning, calls: undefined, bare: undefined };
  if (tools.length > 0 && (form.name === "llama" || form.name === "json")) {
    sections.bare = JSON_CALLS;
    if (form.name === "llama") sections.calls = { open: "<|python_tag|>", body: JSON_CALLS };
  } else if (tools.length > 0) {
    const { open, close } = form.marks;
    sections.calls = { open, ...(close !== "" && { close }), body: BODIES[form.name as keyof typeof BODIES] };
  }
  if (reasoning === undefined && sections.calls === undefined && sections.bare === undefined) return undefined;
  return new SectionReader(sections, tools, reasoning !== undefined && (isBegun(prompt, reasoning.open) || isWithin(continued, reasoning)));
}

function isWithin(text = "", { open, close }: { open: string; close: string }): boolean {
  return text.lastIndexOf(open.trimEnd()) > text.lastIndexOf(close);
}

/** Whether the prompt ends within the model's thoughts. */
export function isBegun(prompt: string, open = THOUGHTS.open): boolean {
  return prompt.trimEnd().endsWith(open.trimEnd());
}
