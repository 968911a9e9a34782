// What callers pass, checked where they pass it: the message names the argument.

import { aborted, asError, AzulejoError, invalid } from "../shared/errors.js";
import type { WirePair, WireText } from "../shared/protocol.js";
import type { TensorF32 } from "../shared/types.js";

/** A record of named values. */
export function checkOptions(options: unknown, name: string): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw invalid(`${name} should be an object, not ${describe(options)}`);
}

export function checkText(text: unknown, name: string): string {
  if (typeof text !== "string") throw invalid(`${name} should be a string, not ${describe(text)}`);
  return text;
}

/** A text that says something. */
export function checkName(value: unknown, name: string): string {
  if (checkText(value, name) === "") throw invalid(`${name} is empty`);
  return value as string;
}

/** A record of texts. */
export function checkStrings(record: unknown, name: string): Record<string, string> {
  checkOptions(record, name);
  return Object.fromEntries(
    Object.entries(record as object).map(([key, value]) => [key, checkText(value, `${name}[${JSON.stringify(key)}]`)]),
  );
}

export function checkHeaders(record: unknown, name: string): Record<string, string> {
  if (Object.prototype.toString.call(record) === "[object Headers]")
    throw invalid(`${name} should be an object: Object.fromEntries(headers) makes one`);
  const headers = checkStrings(record, name);
  try {
    new Headers(headers);
  } catch (error) {
    throw new AzulejoError("invalid-argument", `${name}: ${(error as Error).message}`, undefined, { cause: error });
  }
  return headers;
}

export function checkFlag(flag: unknown, name: string): boolean {
  if (typeof flag !== "boolean") throw invalid(`${name} should be true or false, not ${describe(flag)}`);
  return flag;
}

/** A whole number of `least` or more, as a check of options. */
export const count = (least: number) => (value: unknown, name: string) => checkCount(value, name, least);

export function checkCount(value: unknown, name: string, least: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < least)
    throw invalid(`${name} should be a whole number of ${least} or more, not ${describe(value)}`);
  return value as number;
}

/** A whole number of `least` or more that the core counts with, as a check of options: it has 32 bits for it. */
export const counted = (least: number) => (value: unknown, name: string) => {
  if (checkCount(value, name, least) > MOST_COUNTED) throw invalid(`${name} is ${String(value)}; ${MOST_COUNTED} are the most`);
  return value as number;
};
const MOST_COUNTED = 0xffffffff;

/** A side of a picture that is to be made. */
export function checkSide(value: unknown, name: string): number {
  if (checkCount(value, name, 1) > LONGEST_SIDE) throw invalid(`${name} is ${value}; ${LONGEST_SIDE} are the most`);
  return value as number;
}
/** More on a side no browser's canvas takes. */
export const LONGEST_SIDE = 16384;

export function checkFunction<T extends (...given: never[]) => unknown>(value: unknown, name: string): T {
  if (typeof value !== "function") throw invalid(`${name} should be a function, not ${describe(value)}`);
  return value as T;
}

/** More entries no context takes and no batch has: a length beyond it is a mistake, and room for it would not be had. */
const MOST_ENTRIES = 1 << 24;

function checkLength(length: number, name: string): void {
  if (length > MOST_ENTRIES) throw invalid(`${name} has ${length} entries; ${MOST_ENTRIES} are the most`);
}

/** Each entry of an array, holes and all; `what` is what it should hold. */
export function checkList<T>(list: unknown, name: string, what: string, check: (entry: unknown, name: string) => T): T[] {
  if (!Array.isArray(list)) throw invalid(`${name} should be an array of ${what}, not ${describe(list)}`);
  checkLength(list.length, name);
  return Array.from(list, (entry: unknown, at) => check(entry, `${name}[${at}]`));
}

/** A copy, so that the caller may go on using the array. */
export function checkIds(ids: unknown, name: string): Uint32Array {
  const { length } = (ids ?? {}) as ArrayLike<number>;
  if (typeof ids !== "object" || !Number.isSafeInteger(length) || length < 0)
    throw invalid(`${name} should be an array of token ids, not ${describe(ids)}`);
  checkLength(length, name);
  const checked = new Uint32Array(length);
  for (let at = 0; at < length; at++) {
    const id: unknown = (ids as ArrayLike<number>)[at];
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 0xffffffff)
      throw invalid(`${name}[${at}] is ${describe(id)}, not a token id`);
    checked[at] = id;
  }
  return checked;
}

/** Text, ids, or the messages of a conversation, which are yet to be looked at. */
export function checkPrompt(prompt: unknown): string | Uint32Array | unknown[] {
  const isText = typeof prompt === "string";
  const length = isText ? prompt.length : (prompt as ArrayLike<unknown> | null | undefined)?.length;
  if (length === 0) throw invalid("the prompt is empty");
  if (isText) return prompt;
  if (!Array.isArray(prompt)) return checkIds(prompt, "prompt");
  return typeof prompt[0] === "object" && prompt[0] !== null ? prompt : checkIds(prompt, "prompt");
}

/** A prompt that is no conversation; `what` is what messages call it. */
export function checkPlainPrompt(prompt: unknown, what: string, instead = ""): string | Uint32Array {
  const checked = checkPrompt(prompt);
  if (Array.isArray(checked)) throw invalid(`${what} should be text or token ids, not messages${instead}`);
  return checked;
}

/** Rows of ids; one row alone counts as a batch of one. */
export function checkRows(tokens: unknown, name = "tokens"): Uint32Array[] {
  const first: unknown = (tokens as ArrayLike<unknown> | null | undefined)?.[0];
  const rows =
    Array.isArray(tokens) && typeof first === "object" && first !== null
      ? checkList(tokens, name, "rows of token ids", checkIds)
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
  return checkList(texts, name, "strings", (text, name) => {
    if (typeof text === "string") return text;
    if (typeof text !== "object" || text === null)
      throw invalid(`${name} should be a string or an array of token ids, not ${describe(text)}`);
    const ids = checkIds(text, name);
    if (ids.length === 0) throw invalid(`${name} is empty`);
    return ids;
  });
}

/** Texts, some of them in pairs. */
export function checkPairs(texts: unknown, name: string): WirePair[] {
  return checkList(texts, name, "strings or pairs", (text, name): WirePair => {
    if (typeof text === "string") return text;
    if (!Array.isArray(text)) throw invalid(`${name} should be a string or two of them, not ${describe(text)}`);
    if (text.length !== 2) throw invalid(`${name} should be two strings, not ${text.length}`);
    return [checkText(text[0], `${name}[0]`), checkText(text[1], `${name}[1]`)];
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
  try {
    return { data: new Float32Array(data), dims: [...dims] };
  } catch (error) {
    throw asError(error); // No room for them twice.
  }
}

/** A signal of any realm, aborted or not. */
export function checkSignal(signal: unknown, name: string): AbortSignal {
  if (typeof (signal as AbortSignal | null)?.addEventListener !== "function")
    throw invalid(`${name} should be an AbortSignal, not ${describe(signal)}`);
  return signal as AbortSignal;
}

/** The same, for work that an abort rejects: where it has come already, nothing begins. */
export function checkLiveSignal(signal: unknown, name: string): AbortSignal {
  const checked = checkSignal(signal, name);
  throwIfAborted(checked);
  return checked;
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal);
}

export function describe(value: unknown): string {
  if (typeof value === "string") return value.length > 40 ? "a string" : JSON.stringify(value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "function" ? "a function" : String(value);
}
