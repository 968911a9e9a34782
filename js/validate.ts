// What callers pass, checked where they pass it: the message names the argument.

import { AzulejoError, invalid } from "./errors.js";
import type { Prompt, WireGenerateOptions, WirePair, WireSeq2SeqOptions, WireText } from "./protocol.js";
import type { BatchOptions, GenerateOptions, Message, Seq2SeqOptions, TensorF32 } from "./types.js";

const ROLES = ["system", "user", "assistant", "tool"];

export function checkOptions(options: unknown, name: string): void {
  if (typeof options !== "object" || options === null) throw invalid(`${name} should be an object`);
}

export function checkText(text: unknown, name: string): string {
  if (typeof text !== "string") throw invalid(`${name} should be a string, not ${describe(text)}`);
  return text;
}

export function checkFlag(flag: unknown, name: string): boolean {
  if (typeof flag !== "boolean") throw invalid(`${name} should be true or false, not ${describe(flag)}`);
  return flag;
}

export function checkCount(value: unknown, name: string, least: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < least)
    throw invalid(`${name} should be a whole number of ${least} or more, not ${describe(value)}`);
  return value as number;
}

/** A side of a picture that is to be made. */
export function checkSide(value: unknown, name: string): number {
  if (checkCount(value, name, 1) > LONGEST_SIDE) throw invalid(`${name} is ${value}; ${LONGEST_SIDE} are the most`);
  return value as number;
}
/** More on a side no browser's canvas takes. */
export const LONGEST_SIDE = 16384;

export function checkFunction<T>(value: T, name: string): T {
  if (value !== undefined && typeof value !== "function")
    throw invalid(`${name} should be a function, not ${describe(value)}`);
  return value;
}

/** A copy, so that the caller may go on using the array. */
export function checkIds(ids: unknown, name: string): Uint32Array {
  const { length } = (ids ?? {}) as ArrayLike<number>;
  if (typeof ids !== "object" || !Number.isSafeInteger(length) || length < 0)
    throw invalid(`${name} should be an array of token ids, not ${describe(ids)}`);
  const checked = new Uint32Array(length);
  for (let at = 0; at < length; at++) {
    const id: unknown = (ids as ArrayLike<number>)[at];
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 0xffffffff)
      throw invalid(`${name}[${at}] is ${describe(id)}, not a token id`);
    checked[at] = id;
  }
  return checked;
}

export function checkMessages(messages: unknown, name: string): Message[] {
  if (!Array.isArray(messages)) throw invalid(`${name} should be an array of messages, not ${describe(messages)}`);
  return messages.map((message: unknown, at) => {
    const { role, content } = (message ?? {}) as Partial<Message>;
    if (typeof role !== "string" || !ROLES.includes(role))
      throw invalid(`${name}[${at}].role should be one of ${ROLES.join(", ")}, not ${describe(role)}`);
    return { role, content: checkText(content, `${name}[${at}].content`) };
  });
}

export function checkPrompt(prompt: unknown): Prompt {
  const isText = typeof prompt === "string";
  const length = isText ? prompt.length : (prompt as ArrayLike<unknown> | null | undefined)?.length;
  if (length === 0) throw invalid("the prompt is empty");
  if (isText) return prompt;
  const first: unknown = Array.isArray(prompt) ? prompt[0] : undefined;
  return typeof first === "object" && first !== null ? checkMessages(prompt, "prompt") : checkIds(prompt, "prompt");
}

/** Rows of ids; one row alone counts as a batch of one. */
export function checkRows(tokens: unknown, name = "tokens"): Uint32Array[] {
  const first: unknown = (tokens as ArrayLike<unknown> | null | undefined)?.[0];
  const rows =
    Array.isArray(tokens) && typeof first === "object" && first !== null
      ? tokens.map((row, at) => checkIds(row, `${name}[${at}]`))
      : [checkIds(tokens, name)];
  rows.forEach((row, at) => {
    if (row.length === 0) throw invalid(rows.length === 1 ? `${name} is empty` : `${name}[${at}] is empty`);
  });
  return rows;
}

/** Texts, or rows of ids in place of some; one text alone counts as a list of one. */
export function checkTexts(texts: unknown, name: string): WireText[] {
  if (typeof texts === "string") return [texts];
  if (!Array.isArray(texts))
    throw invalid(`${name} should be a string, an array of them or of rows of token ids, not ${describe(texts)}`);
  if (texts.length === 0) throw invalid(`${name} is empty`);
  return texts.map((text: unknown, at) => {
    if (typeof text === "string") return text;
    if (typeof text !== "object" || text === null)
      throw invalid(`${name}[${at}] should be a string or an array of token ids, not ${describe(text)}`);
    const ids = checkIds(text, `${name}[${at}]`);
    if (ids.length === 0) throw invalid(`${name}[${at}] is empty`);
    return ids;
  });
}

/** Texts, some of them in pairs. */
export function checkPairs(texts: unknown, name: string): WirePair[] {
  if (!Array.isArray(texts)) throw invalid(`${name} should be an array of strings or pairs, not ${describe(texts)}`);
  return texts.map((text: unknown, at): WirePair => {
    if (typeof text === "string") return text;
    if (!Array.isArray(text)) throw invalid(`${name}[${at}] should be a string or two of them, not ${describe(text)}`);
    if (text.length !== 2) throw invalid(`${name}[${at}] should be two strings, not ${text.length}`);
    return [checkText(text[0], `${name}[${at}][0]`), checkText(text[1], `${name}[${at}][1]`)];
  });
}

/** Of work in batches. */
export function checkBatch(options: BatchOptions): BatchOptions {
  checkOptions(options, "options");
  const { signal, onProgress } = options;
  checkFunction(onProgress, "onProgress");
  checkSignal(signal, false);
  return { signal, onProgress };
}

type Check = (value: unknown, name: string) => unknown;

const number =
  (least: number, most: number): Check =>
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

const GENERATE: Record<keyof WireGenerateOptions, Check> = {
  maxTokens: (value, name) => checkCount(value, name, 0),
  temperature: number(0, Number.MAX_VALUE),
  topK: (value, name) => checkCount(value, name, 0),
  topP: number(0, 1),
  minP: number(0, 1),
  repetitionPenalty: number(Number.MIN_VALUE, Number.MAX_VALUE),
  presencePenalty: ANY,
  frequencyPenalty: ANY,
  logitBias: checkBias,
  seed: (value, name) => checkCount(value, name, 0),
  stop: checkStops,
  ignoreEnd: checkFlag,
  logprobs: (value, name) => checkCount(value, name, 0),
};

/** The options that go to the core; what is not known is left out. */
export function checkGenerate(options: GenerateOptions): WireGenerateOptions {
  checkOptions(options, "options");
  checkSignal(options.signal);
  for (const later of ["jsonSchema", "grammar"] as const) {
    if (options[later] !== undefined) throw invalid(`${later}: not supported yet`);
  }
  const checked: Record<string, unknown> = {};
  for (const [name, check] of Object.entries(GENERATE)) {
    const value = options[name as keyof WireGenerateOptions];
    if (value !== undefined) checked[name] = check(value, name);
  }
  return checked;
}

/** Each beam has a cache of its own. */
const MOST_BEAMS = 16;

export function checkSeq2Seq(options: Seq2SeqOptions): WireSeq2SeqOptions {
  const checked = checkGenerate(options);
  if (options.beams === undefined) return checked;
  const beams = checkCount(options.beams, "beams", 1);
  if (beams > MOST_BEAMS) throw invalid(`beams is ${beams}; ${MOST_BEAMS} are the most`);
  if (beams > 1 && (checked.temperature ?? 0) > 0)
    throw invalid("beams: a search with several draws no tokens, and goes with temperature 0 only");
  if (beams > 1 && checked.logprobs !== undefined) throw invalid("beams: logprobs go with one only");
  return { ...checked, beams };
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
  if (!Array.isArray(stops)) throw invalid(`${name} should be an array of strings, not ${describe(stops)}`);
  return stops.map((stop, at) => {
    if (checkText(stop, `${name}[${at}]`) === "") throw invalid(`${name}[${at}] is empty`);
    return stop as string;
  });
}

/** Normalised pixels, as a copy that may be given away. */
export function checkPixels(pixels: unknown): TensorF32 {
  checkOptions(pixels, "pixels");
  const { data, dims } = pixels as Partial<TensorF32>;
  if (!(data instanceof Float32Array)) throw invalid(`pixels.data should be a Float32Array, not ${describe(data)}`);
  if (!Array.isArray(dims) || dims.length !== 4)
    throw invalid("pixels.dims should be four numbers: rows, channels, height, width");
  const count = dims.reduce((product, dim: unknown, at) => product * checkCount(dim, `pixels.dims[${at}]`, 1), 1);
  if (count !== data.length)
    throw invalid(`pixels.dims [${dims.join(", ")}] are ${count} numbers, and pixels.data has ${data.length}`);
  return { data: new Float32Array(data), dims: [...dims] };
}

/** Throws "aborted" where it has been already. */
export function checkSignal(signal: AbortSignal | undefined, mayBeAborted = true): void {
  if (signal === undefined) return;
  if (typeof signal?.addEventListener !== "function")
    throw invalid(`signal should be an AbortSignal, not ${describe(signal)}`);
  if (signal.aborted && !mayBeAborted)
    throw new AzulejoError("aborted", "aborted by the caller", undefined, { cause: signal.reason });
}

export function describe(value: unknown): string {
  if (typeof value === "string") return value.length > 40 ? "a string" : JSON.stringify(value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}
