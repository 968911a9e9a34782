// What an answer is made of.

import type { Tool, ToolCall } from "../../shared/types.js";

/** A piece of an answer. Of a call: what is known of it now, when that is news. */
export interface Part {
  kind: "text" | "reasoning" | "tool-call";
  text: string;
  toolCall?: Partial<ToolCall>;
}

/** A call as it is written: `undefined` arguments are none. */
export interface WrittenCall {
  id?: string | undefined;
  name: string;
  arguments: unknown;
}

/** How calls are written between their marks. */
export interface Body {
  /** The calls of a whole body; none where it holds something else. */
  read(body: string, tools: readonly Tool[]): WrittenCall[] | undefined;
  /** The first call's name, as soon as it is there. */
  name(begun: string): string | undefined;
}

/** What tells an answer's parts apart. */
export interface Reader {
  /** `special`: the token that came with the text, behind it, where it is a control token. */
  push(text: string, special?: string): Part[];
  /** What was held back. */
  finish(): Part[];
}

/** How long an end of `text` may be the beginning of one of the marks. */
export function heldBack(text: string, marks: readonly string[]): number {
  const longest = Math.max(0, ...marks.map((mark) => mark.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(-length);
    if (marks.some((mark) => mark.startsWith(end))) return length;
  }
  return 0;
}

/** The first of the marks, and where it is. */
export function firstOf(text: string, marks: readonly string[]): { at: number; mark: string } | undefined {
  let first: { at: number; mark: string } | undefined;
  for (const mark of marks) {
    const at = text.indexOf(mark);
    if (at >= 0 && (first === undefined || at < first.at)) first = { at, mark };
  }
  return first;
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Nine letters and digits, as Mistral's templates want them. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => LETTERS[byte % LETTERS.length]).join("");
}

/** JSON's value; `undefined` where it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
