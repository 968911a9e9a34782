// Conversations that survive a reload: in this browser's local storage, each by itself, the oldest making room.

import type { GenerationResult } from "./azulejo/index.js";

/** A tool that the model called on its way to an answer. */
export interface Called {
  id: string;
  name: string;
  given: unknown;
  result: string;
}

/** A question and its answer. */
export interface Said {
  question: string;
  called?: Called[] | undefined;
  answer: string;
  reasoning?: string | undefined;
  finish: GenerationResult["finishReason"];
  /** The answer's numbers, in words. */
  facts: string[];
}

export interface Conversation {
  id: string;
  /** When it was last gone on with, in milliseconds since 1970. */
  at: number;
  said: Said[];
}

const PREFIX = "azulejo conversation ";
/** More than this many are not kept. */
const MOST = 50;

/** Of a conversation; no other tab will think of the same. (`randomUUID` is not there on pages without a secure origin.) */
export const newId = (): string => `${Date.now()}-${Math.floor(Math.random() * 2 ** 52)}`;

/** All that are kept, the latest first. One that cannot be read is passed over: another program may have written it. */
export function conversations(): Conversation[] {
  return stored().map((key) => parsed(localStorage.getItem(key))).filter((each) => each !== undefined).sort((a, b) => b.at - a.at);
}

function stored(): string[] {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  } catch {
    return []; // the browser forbids it: then nothing is kept
  }
}

function parsed(text: string | null): Conversation | undefined {
  try {
    const { id, at, said } = JSON.parse(text ?? "") as Conversation;
    const whole = typeof id === "string" && typeof at === "number" && Array.isArray(said) && said.length > 0 && said.every(isSaid);
    return whole ? { id, at, said } : undefined;
  } catch {
    return undefined;
  }
}

const isSaid = ({ question, answer, finish, facts, called = [] }: Said): boolean =>
  [question, answer, finish].every((each) => typeof each === "string") && Array.isArray(facts) && Array.isArray(called);

/** Keeps a conversation as it is now. Where there is no room the oldest go, and at last it stays unkept. */
export function keep(id: string, said: Said[]): void {
  const others = conversations().filter((each) => each.id !== id);
  for (const each of others.splice(MOST - 1)) forget(each.id);
  for (;;) {
    try {
      localStorage.setItem(PREFIX + id, JSON.stringify({ id, at: Date.now(), said } satisfies Conversation));
      return;
    } catch {
      const oldest = others.pop();
      if (!oldest) return;
      forget(oldest.id);
    }
  }
}

export function forget(id: string): void {
  try {
    localStorage.removeItem(PREFIX + id);
  } catch {
    // nothing is kept there
  }
}

/** A conversation as a text in Markdown. */
export function written(said: Said[]): string {
  return said.map(({ question, answer }) => `**You:** ${question}\n\n**Model:** ${answer}\n`).join("\n");
}
