// A call that has to come, in the family's own form: a Lark grammar of it.

import { invalid } from "../../shared/errors.js";
import type { Tool } from "../../shared/types.js";
import { isOfTexts } from "./bodies.js";
import type { Form } from "./forms.js";

/** A grammar that has JSON schemas in it, by their numbers: see `calls` in src/grammar/schema.rs. */
export interface CallGrammar {
  lark: string;
  schemas: object[];
}

/** Parts of a rule. */
type Atoms = string[];

/** `mark`: a mark as the grammar writes it, a token of its own or its text. `begun`: the prompt ends within thoughts. */
export function forcedCall(form: Form, tools: readonly Tool[], mark: (text: string) => string, begun: boolean): CallGrammar {
  const schemas: object[] = [];
  const rules: string[] = [];
  const schema = (value: object) => `s${schemas.push(value) - 1}`;
  const calls = tools.map((tool, at) => {
    rules.push(`call${at}: ${callOf(form, tool, { mark, schema }).join(" ")}`);
    return `call${at}`;
  });
  const before = begun ? [quoted("\n"), mark("</think>"), quoted("\n\n")] : [];
  const start = `start: ${[...before, `(${calls.join(" | ")})`].join(" ")}`;
  const ids = ["ID: /[A-Za-z0-9]{9}/"];
  const values = schemas.map((_, at) => `s${at}: %json @${at}`);
  return { lark: [start, ...rules, ...values, ...ids].join("\n"), schemas };
}

interface Writing {
  mark(text: string): string;
  /** The rule of a schema's values. */
  schema(value: object): string;
}

const quoted = (text: string): string => JSON.stringify(text);

function callOf(form: Form, tool: Tool, writing: Writing): Atoms {
  const { mark, schema } = writing;
  const name = JSON.stringify(tool.name);
  const given = tool.parameters ?? { type: "object" };
  const json = (key: string): Atoms => [quoted(`{"name": ${name}, "${key}": `), schema(given), quoted("}")];
  const open = form.marks.open === "" ? [] : [mark(form.marks.open)];
  const close = form.marks.close === "" ? [] : [mark(form.marks.close)];
  switch (form.name) {
    case "llama":
      return json("parameters");
    case "json":
      return json("arguments");
    case "tagged":
      return [...open, quoted("\n"), ...json("arguments"), quoted("\n"), ...close];
    case "phi":
      return [...open, ...json("arguments"), ...close];
    case "granite":
    case "mistral":
      return [...open, quoted("["), ...json("arguments"), quoted("]")];
    case "mistral-arguments":
      return [...open, quoted(tool.name), ...(form.hasCallIds ? [mark("[CALL_ID]"), "ID"] : []), mark("[ARGS]"), schema(given)];
    case "harmony":
      return [mark("<|channel|>"), quoted(`commentary to=functions.${tool.name} `), mark("<|constrain|>"), quoted("json"), mark("<|message|>"), schema(given), mark("<|call|>")];
    case "function-tags": {
      const value = (key: string, value: object) => [quoted(`<parameter=${key}>\n`), ...(isOfTexts(value) ? [plainText(key, value, "\n")] : [schema(value), quoted("\n")]), quoted("</parameter>\n")];
      const values = properties(tool).map(([key, each, needed]) => optional(value(key, each), needed));
      return [...open, quoted(`\n<function=${tool.name}>\n`), ...values.flat(), quoted("</function>\n"), ...close];
    }
    case "pythonic": {
      const value = (key: string, each: object) => [quoted(`${key}=`), ...(isFlag(each) ? ['("True" | "False")'] : [schema(each)])];
      return [...open, quoted(`[${tool.name}(`), ...commaSeparated(tool, value), quoted(")]"), ...close];
    }
    case "gemma": {
      const quote = form.marks.open === "<start_function_call>" ? "<escape>" : '<|"|>';
      const value = (key: string, each: object) => [quoted(`${key}:`), ...(isOfTexts(each) ? [mark(quote), plainText(key, each), mark(quote)] : [schema(each)])];
      return [...open, quoted(`call:${tool.name}{`), ...commaSeparated(tool, value, ","), quoted("}"), ...close];
    }
  }
}

/** What says nothing of the arguments' values, or is kept: no argument comes that is not listed. */
const KEPT = ["type", "properties", "required", "additionalProperties", "title", "description", "$schema", "$defs", "definitions"];

/** The arguments, those first that have to be there. */
function properties({ name, parameters = {} }: Tool): [key: string, value: object, needed: boolean][] {
  const { properties = {}, required = [], $defs, definitions } = parameters as { properties?: Record<string, object>; required?: string[]; $defs?: object; definitions?: object };
  const lost = Object.keys(parameters).find((key) => !KEPT.includes(key));
  const cannot = (what: string) => invalid(`toolChoice: ${what} of ${JSON.stringify(name)} cannot be kept where arguments are no JSON, as in this family's calls`);
  if (lost !== undefined) throw cannot(lost);
  const missing = required.find((key) => !Object.hasOwn(properties, key));
  if (missing !== undefined) throw cannot(`the required ${JSON.stringify(missing)}, which is no property`);
  const shared = { ...($defs && { $defs }), ...(definitions && { definitions }) };
  const whole = (value: object) => (typeof value === "object" && !isOfTexts(value) ? { ...shared, ...value } : value);
  const all = Object.entries(properties).map(([key, value]) => [key, whole(value), required.includes(key)] as [string, object, boolean]);
  return [...all.filter(([, , needed]) => needed), ...all.filter(([, , needed]) => !needed)];
}

function optional(atoms: Atoms, needed: boolean): Atoms {
  return needed ? atoms : [`(${atoms.join(" ")})?`];
}

/** Where none has to be there, those that are follow the first. */
function commaSeparated(tool: Tool, write: (key: string, value: object) => Atoms, comma = ", "): Atoms {
  const [first, ...others] = properties(tool);
  if (first === undefined) return [];
  const [key, value, needed] = first;
  const rest = others.flatMap(([key, value, needed]) => optional([quoted(comma), ...write(key, value)], needed));
  return optional([...write(key, value), ...rest], needed);
}

/** A text without quotes, which ends where a mark begins. `end`: what stands between; the lexer takes it with the text. */
function plainText(key: string, schema: object, end = ""): string {
  const { enum: choices, const: fixed, minLength = 0, maxLength = "", ...rest } = schema as Record<string, unknown>;
  const texts = (fixed !== undefined ? [fixed] : choices) as string[] | undefined;
  if (texts !== undefined) return `(${texts.map((text) => quoted(text + end)).join(" | ")})`;
  const kept = ["type", "title", "description", "default", "examples"];
  const lost = Object.keys(rest).find((name) => !kept.includes(name));
  if (lost !== undefined) throw invalid(`toolChoice: ${lost} of ${JSON.stringify(key)} cannot be kept where a text has no quotes, as in this family's calls`);
  return `/[^<]{${minLength},${maxLength}}${end === "" ? "" : "\\n"}/`;
}

const isFlag = (schema: object): boolean => (schema as { type?: unknown }).type === "boolean";
