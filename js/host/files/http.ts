// Requests: how they are made, made again where they are refused, and what an answer says of a file.

import { AzulejoError } from "../../shared/errors.js";
import type { WireRequest } from "../../shared/protocol.js";
import type { Version } from "../../shared/store/store.js";

/** What is used of a `Response`. */
export interface Answer {
  status: number;
  statusText: string;
  type: ResponseType;
  url: string;
  headers: Headers;
  body: ReadableStream<Uint8Array> | null;
}
export type Fetch = (url: string, request: WireRequest & { signal: AbortSignal }) => Promise<Answer>;

export interface Requests {
  /** The file's name, for messages. */
  name: string;
  fetch: Fetch;
  headers: Record<string, string>;
  credentials?: RequestCredentials;
  signal: AbortSignal;
  retries: number;
  /** For the caller to hear. */
  note(text: string): void;
}

export function networkError(url: string, how: Requests, what: string, cause?: unknown): AzulejoError {
  return new AzulejoError("network", `${url}: ${what}`, { file: how.name }, { cause });
}

export const statusOf = ({ status, statusText }: Answer) => `HTTP ${status}${statusText ? ` ${statusText}` : ""}`;

/** One request. Rejects with "network" where there is no answer. */
export async function ask(
  url: string,
  how: Requests,
  extra: Partial<WireRequest> & { signal?: AbortSignal } = {},
): Promise<Answer> {
  const { method = "GET", cache, signal = how.signal } = extra;
  const headers = { ...how.headers, ...extra.headers };
  // Called by itself: the browser's own wants no other `this`.
  const { fetch } = how;
  try {
    return await fetch(url, {
      method,
      headers,
      signal,
      ...(how.credentials !== undefined && { credentials: how.credentials }),
      ...(cache !== undefined && { cache }),
    });
  } catch (error) {
    how.signal.throwIfAborted();
    // The caller's own fetch gave no answer at all: trying again helps nobody.
    if (error instanceof AzulejoError && error.code === "invalid-argument") throw error;
    throw networkError(url, how, (error as Error).message, error);
  }
}

/** Nobody began to read it. */
export function discard(answer: Answer): void {
  answer.body?.cancel().catch(() => {});
}

/** Other ways to say: not now. */
export const isRefusal = (status: number) => [408, 425, 429].includes(status) || (status >= 500 && status !== 501);

/** How often something is tried again, and how long is waited before. */
export class Patience {
  readonly #how: Requests;
  #tried = 0;

  constructor(how: Requests) {
    this.#how = how;
  }

  /** Something came: whatever is wrong next is a new trouble. */
  renew(): void {
    this.#tried = 0;
  }

  /** Waits for the next try; throws `failure` where there is none. */
  async again(failure: AzulejoError, pauseMs?: number): Promise<void> {
    const { retries, signal, note } = this.#how;
    if (this.#tried >= retries || isOffline()) throw failure;
    const pause = pauseMs ?? FIRST_PAUSE_MS * 2 ** this.#tried;
    this.#tried++;
    note(`${failure.message}; trying again`);
    await sleep(pause, signal);
  }
}
const FIRST_PAUSE_MS = 250;

export const isOffline = () => globalThis.navigator?.onLine === false;

/** The pause that a server asks for, as seconds or as a date. */
export function retryAfter(answer: Answer): number | undefined {
  const text = answer.headers.get("retry-after")?.trim();
  if (!text) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MOST_PAUSE_MS);
}
const MOST_PAUSE_MS = 60_000;

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}

// ---------------------------------------------------------------- what an answer says

const number = (text: string | null | undefined) => (text && /^\d+$/.test(text) ? Number(text) : undefined);

/** Another origin shows only some of its headers: "Content-Encoding" is not among them. */
const isOpen = ({ type }: Answer) => type === "basic" || type === "default";

const isIdentity = ({ headers }: Answer) => /^(identity)?$/i.test(headers.get("content-encoding") ?? "");

export interface Range {
  start: number;
  /** Behind the last byte. */
  end: number;
  /** Of the whole file. */
  size?: number;
}

/** "bytes 10-19/200" */
export function contentRange({ headers }: Answer): Range | undefined {
  const [, first, last, size] = /^bytes\s+(\d+)-(\d+)\/(\d+|\*)$/i.exec(headers.get("content-range")?.trim() ?? "") ?? [];
  if (first === undefined) return undefined;
  return { start: Number(first), end: Number(last) + 1, size: number(size) };
}

/** The body's length, where it cannot be that of something compressed. To a request for a range nobody compresses. */
export function trustedLength(answer: Answer): number | undefined {
  const trusted = answer.status === 206 ? isIdentity(answer) : isOpen(answer) && isIdentity(answer);
  return trusted ? lengthHint(answer) : undefined;
}

export const lengthHint = ({ headers }: Answer) => number(headers.get("content-length"));

/** `size`: where the answer is no part from the front. */
export function versionOf(answer: Answer, size?: number): Version {
  const { headers } = answer;
  return {
    size,
    etag: headers.get("etag") ?? undefined,
    modified: headers.get("last-modified") ?? undefined,
  };
}

/** As if nothing were ever compressed on its way: then servers weaken the tag, or add to it. */
const plainTag = (etag: string | undefined) => etag?.replace(/^W\//, "").replace(/[-;](gzip|br|zstd|deflate)"$/, '"');

/** False only where something both know of differs. */
export function sameVersion(a: Version, b: Version): boolean {
  const agree = <T>(x: T | undefined, y: T | undefined) => x === undefined || y === undefined || x === y;
  const tags = [plainTag(a.etag), plainTag(b.etag)] as const;
  const tagged = tags[0] !== undefined && tags[1] !== undefined;
  return agree(a.size, b.size) && agree(...tags) && (tagged || agree(a.modified, b.modified));
}

/** Whether both name the version by something that changes with it. */
export const canCompare = (a: Version, b: Version) =>
  (a.etag !== undefined && b.etag !== undefined) || (a.modified !== undefined && b.modified !== undefined);

export const isPage = ({ headers }: Answer) => /^\s*text\/html\b/i.test(headers.get("content-type") ?? "");

/** Whether the bytes are those of a page: many a server answers every unknown path with its start page. */
export function looksLikePage(head: Uint8Array): boolean {
  // The decoder drops a byte order mark.
  const text = new TextDecoder().decode(head).trimStart();
  return /^(<!doctype\s+html|<(html|head|body)[\s>])/i.test(text);
}
