// What a generation takes.

import { invalid } from "../shared/errors.js";
import type { WireAnswer, WireConstraint, WireGenerateOptions, WireSeq2SeqOptions } from "../shared/protocol.js";
import type { ChatOptions, ConstraintOptions, GenerateOptions, Seq2SeqOptions, Tool } from "../shared/types.js";
import { CHAT, plain } from "./messages.js";
import { optionsOf, type Check } from "./options.js";
import { checkCount, checkFlag, checkList, checkOptions, checkSignal, checkText, count, describe } from "./validate.js";

const number =
  (least: number, most: number): Check<number> =>
  (value, name) => {
    if (typeof value !== "number" || !(value >= least && value <= most))
      throw invalid(`${name} should be a number ${range(least, most)}, not ${describe(value)}`);
    return value;
  };

function range(least: number, most: number): string {
  if (most === Number.MAX_VALUE)
    return least === -Number.MAX_VALUE
      ? "(finite)"
      : `of ${least === Number.MIN_VALUE ? "more than 0" : `${least} or more`}`;
  return `from ${least} to ${most}`;
}

const ANY = number(-Number.MAX_VALUE, Number.MAX_VALUE);

const GENERATE = {
  maxTokens: count(0),
  temperature: number(0, Number.MAX_VALUE),
  topK: count(0),
  topP: number(0, 1),
  minP: number(0, 1),
  repetitionPenalty: number(Number.MIN_VALUE, Number.MAX_VALUE),
  presencePenalty: ANY,
  frequencyPenalty: ANY,
  logitBias: checkBias,
  seed: count(0),
  stop: checkStops,
  ignoreEnd: checkFlag,
  logprobs: count(0),
  minTokens: count(0),
  noRepeatNgram: count(0),
  useDefaults: checkFlag,
  // An abort is no failure of a generation's: what was made stays.
  signal: checkSignal,
};
const CONSTRAINTS = {
  jsonSchema: (value: unknown, name: string) => {
    checkOptions(value, name);
    return plain(value, name) as object;
  },
  regex: checkText,
  grammar: checkGrammar,
};
const readShift = optionsOf<{ keep: number }>("contextShift", { keep: count(0) });

const readGenerate = optionsOf<GenerateOptions>("generate", {
  ...GENERATE,
  ...CONSTRAINTS,
  ...CHAT,
  toolChoice: checkToolChoice,
  contextShift: checkShift,
  draft: checkDraft,
});
const readSeq2Seq = optionsOf<Seq2SeqOptions>(
  "generate",
  { ...GENERATE, beams: checkBeams, lengthPenalty: ANY, earlyStopping: checkEarlyStopping },
  ["draft", "contextShift", ...Object.keys(CONSTRAINTS), "toolChoice", "tools", "templateOptions", "allowSpecial"],
);

/** What goes to the core; what the answer is read by, where the prompt is messages; and what is for the chat template. */
export function checkGenerate(
  options: GenerateOptions | undefined,
): { wire: WireGenerateOptions; answer: WireAnswer | undefined; chat: ChatOptions } {
  const { signal: _, tools: given, toolChoice, templateOptions, allowSpecial, continueFinalMessage, ...others } =
    readGenerate(options);
  const { jsonSchema, regex, grammar, ...rest } = others;
  const { tools, forced } = chosenTools(given, toolChoice);
  const constraint = readConstraint({ jsonSchema, regex, grammar });
  if (constraint !== undefined && rest.ignoreEnd) throw invalid("ignoreEnd: a text of a grammar ends where the grammar does");
  if (forced !== undefined && (constraint !== undefined || rest.ignoreEnd))
    throw invalid("toolChoice: the answer is a call, and nothing that another option says");
  // A text of the caller's own grammar is as it stands: nothing in it is a thought or a call.
  const answer = constraint === undefined ? { tools: tools ?? [], ...(forced !== undefined && { forced }) } : undefined;
  const wire = { ...rest, ...(constraint !== undefined && { constraint }) };
  // Stop strings are of texts, and a call that has to come is none.
  if (forced !== undefined) delete wire.stop;
  const chat = {
    ...(tools !== undefined && { tools }),
    ...(templateOptions !== undefined && { templateOptions }),
    ...(allowSpecial !== undefined && { allowSpecial }),
    ...(continueFinalMessage !== undefined && { continueFinalMessage }),
  };
  return { wire, answer, chat };
}

/** The tools that the model is told of, and those of which it has to call one. */
function chosenTools(
  tools: Tool[] | undefined,
  choice: GenerateOptions["toolChoice"] = "auto",
): { tools?: Tool[] | undefined; forced?: Tool[] } {
  if (choice === "auto") return { tools };
  if (choice === "none") return {};
  if (tools === undefined || tools.length === 0) throw invalid("toolChoice: there are no tools to choose from");
  if (choice === "required") return { tools, forced: tools };
  const forced = tools.filter(({ name }) => name === choice.name);
  if (forced.length === 0) throw invalid(`toolChoice: no tool is called ${JSON.stringify(choice.name)}`);
  return { tools, forced };
}

function checkToolChoice(value: unknown, name: string): NonNullable<GenerateOptions["toolChoice"]> {
  if (value === "auto" || value === "none" || value === "required") return value;
  const { name: tool, ...others } = (typeof value === "object" && value !== null ? value : {}) as { name?: unknown };
  if (typeof tool === "string" && Object.keys(others).length === 0) return { name: tool };
  throw invalid(`${name} should be "auto", "none", "required" or { name } of a tool, not ${describe(value)}`);
}

/** The one that is given. */
function readConstraint({ jsonSchema, regex, grammar }: ConstraintOptions): WireConstraint | undefined {
  const given: WireConstraint[] = [];
  if (jsonSchema !== undefined) given.push({ kind: "jsonSchema", text: JSON.stringify(jsonSchema) });
  if (regex !== undefined) given.push({ kind: "regex", text: regex });
  if (typeof grammar === "string") given.push({ kind: "gbnf", text: grammar });
  else if (grammar !== undefined) given.push("lark" in grammar ? { kind: "lark", text: grammar.lark } : { kind: "gbnf", text: grammar.gbnf });
  if (given.length > 1) throw invalid("of jsonSchema, regex and grammar one says what the text has to be");
  return given[0];
}

function checkGrammar(value: unknown, name: string): string | { lark: string } | { gbnf: string } {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null) {
    const [key, ...others] = Object.keys(value);
    if (others.length === 0 && (key === "lark" || key === "gbnf"))
      return { [key]: checkText((value as Record<string, unknown>)[key], `${name}.${key}`) } as { lark: string };
  }
  throw invalid(`${name} should be a string of GBNF, { gbnf } or { lark }, not ${describe(value)}`);
}

export function checkSeq2Seq(options: Seq2SeqOptions | undefined): WireSeq2SeqOptions {
  const { signal: _, ...wire } = readSeq2Seq(options);
  return wire;
}

function checkShift(value: unknown, name: string): { keep: number } {
  const shift = readShift(value as { keep: number }, name);
  if (shift.keep === undefined) throw invalid(`${name} should say how many tokens to keep: { keep: 0 }`);
  return shift;
}

function checkDraft(value: unknown, name: string): "prompt" | "off" {
  if (value === "prompt" || value === "off") return value;
  // A CausalLM has it.
  if (typeof value === "object" && value !== null && "generate" in value) throw invalid(`${name}: a model is not supported yet`);
  throw invalid(`${name} should be "prompt" or "off", not ${describe(value)}`);
}

function checkEarlyStopping(value: unknown, name: string): boolean | "never" {
  if (typeof value !== "boolean" && value !== "never")
    throw invalid(`${name} should be true, false or "never", not ${describe(value)}`);
  return value;
}

/** Each beam has a cache of its own. */
const MOST_BEAMS = 16;

function checkBeams(value: unknown, name: string): number {
  const beams = checkCount(value, name, 1);
  if (beams > MOST_BEAMS) throw invalid(`${name} is ${beams}; ${MOST_BEAMS} are the most`);
  return beams;
}

function checkBias(bias: unknown, name: string): Record<number, number> {
  checkOptions(bias, name);
  const checked: Record<number, number> = {};
  for (const [id, value] of Object.entries(bias as object)) {
    if (!/^\d+$/.test(id) || Number(id) > 0xffffffff)
      throw invalid(`${name} has the key ${JSON.stringify(id)}, which is not a token id`);
    if (typeof value !== "number" || Number.isNaN(value))
      throw invalid(`${name}[${id}] should be a number, not ${describe(value)}`);
    checked[Number(id)] = value;
  }
  return checked;
}

function checkStops(stops: unknown, name: string): string[] {
  return checkList(stops, name, "strings", (stop, name) => {
    if (checkText(stop, name) === "") throw invalid(`${name} is empty`);
    return stop as string;
  });
}
