// A file's bytes over HTTP, from some place on: asked for again where the connection breaks.

import type { AzulejoError } from "../../shared/errors.js";
import type { Version } from "../../shared/store/store.js";
import {
  ask,
  canCompare,
  contentRange,
  discard,
  isRefusal,
  lengthHint,
  networkError,
  Patience,
  retryAfter,
  sameVersion,
  statusOf,
  trustedLength,
  versionOf,
  type Answer,
  type Requests,
} from "./http.js";

export interface BodyOptions {
  /** What is here already: the rest of that version is wanted. */
  from?: number;
  version?: Version;
  /** Only so many bytes at first, twice as many next: the reader may leave early. */
  window?: number;
  cache?: RequestCache;
}

export interface Body {
  /** The answer that began it. */
  answer: Answer;
  /** What is known by now. */
  readonly version: Version;
  sizeHint?: number;
  /** Where `pieces` begin. */
  from: number;
  pieces: AsyncGenerator<Uint8Array>;
  /** For a body that nobody has begun to read. */
  cancel(): void;
}

/** What is here already is not the beginning of what the server has; as a cause: nor is it what the server said. */
export class OtherVersion extends Error {}

export async function openBody(url: string, how: Requests, options: BodyOptions = {}): Promise<Body> {
  const reading = new Reading(url, how, options);
  const answer = await reading.begin();
  return {
    answer,
    get version() {
      return reading.version;
    },
    sizeHint: reading.version.size ?? lengthHint(answer),
    from: options.from ?? 0,
    pieces: reading.pieces(answer),
    cancel: () => discard(answer),
  };
}

const isFileStatus = ({ status }: Answer) => status === 200 || status === 206;

class Reading {
  version: Version;
  readonly #url: string;
  readonly #how: Requests;
  readonly #cache: RequestCache | undefined;
  readonly #patience: Patience;
  /** Of the next byte. */
  #at: number;
  #window: number | undefined;
  /** Where the answer's own bytes end, if it says so. */
  #end: number | undefined;
  /** Bytes that come before the next one wanted. */
  #skip = 0;

  constructor(url: string, how: Requests, { from = 0, version = {}, window, cache }: BodyOptions) {
    this.#url = url;
    this.#how = how;
    this.#at = from;
    this.version = version;
    this.#window = window;
    this.#cache = cache;
    this.#patience = new Patience(how);
  }

  /** The first answer. */
  async begin(): Promise<Answer> {
    const answer = await this.#request();
    if (answer.status === 416 && this.#at > 0) {
      discard(answer);
      throw new OtherVersion();
    }
    // What is no file is the caller's to judge.
    if (!isFileStatus(answer)) return answer;
    const fits = this.#accept(answer);
    if (fits === true) return answer;
    discard(answer);
    if (this.#at > 0) throw new OtherVersion(fits);
    // A server that cannot be asked for parts.
    const whole = await this.#whole();
    if (!isFileStatus(whole)) return whole;
    const still = this.#accept(whole);
    if (still === true) return whole;
    discard(whole);
    throw this.#error(still);
  }

  async *pieces(first: Answer): AsyncGenerator<Uint8Array> {
    for (let answer: Answer | undefined = first; answer !== undefined; answer = await this.#next()) {
      const reader = answer.body?.getReader();
      try {
        for (;;) {
          const value = await this.#read(reader);
          if (value === undefined) break;
          this.#patience.renew();
          const piece = value.subarray(Math.min(this.#skip, value.length));
          this.#skip -= value.length - piece.length;
          if (piece.length === 0) continue;
          this.#at += piece.length;
          if (this.version.size !== undefined && this.#at > this.version.size)
            throw this.#error(`more came than the ${this.version.size} bytes that the server spoke of`, new OtherVersion());
          yield piece;
        }
      } finally {
        reader?.cancel().catch(() => {});
      }
    }
  }

  /** `undefined` at the end, also where the connection broke: `#broke` says why. */
  async #read(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<Uint8Array | undefined> {
    this.#broke = undefined;
    try {
      return (await reader?.read())?.value;
    } catch (error) {
      this.#how.signal.throwIfAborted();
      this.#broke = error as Error;
      return undefined;
    }
  }
  #broke: Error | undefined;

  /** What comes after an answer has ended: `undefined` if that was all. */
  async #next(): Promise<Answer | undefined> {
    const { size } = this.version;
    if (this.#at === size && this.#skip === 0) return undefined;
    const ended = this.#broke === undefined && (this.#end === undefined ? size === undefined : this.#at === this.#end);
    if (ended) {
      // A part's end is not the file's where the file is known to be longer, or only a part was asked for.
      if (this.#end === undefined || (size === undefined && this.#window === undefined)) return undefined;
      if (this.#window !== undefined) this.#window *= 2;
    } else {
      const why = this.#broke?.message ?? "the body ended early";
      const of = size === undefined ? "" : `of ${size} `;
      await this.#patience.again(this.#error(`the connection broke after ${this.#at} ${of}bytes (${why})`, this.#broke));
    }
    const answer = await this.#request();
    // Behind the last window of a file whose size nobody says.
    if (answer.status === 416 && ended) return void discard(answer);
    const fits = isFileStatus(answer) ? this.#accept(answer) : statusOf(answer);
    if (fits === true) return answer;
    discard(answer);
    throw this.#error(`it cannot go on at byte ${this.#at}: ${fits}`);
  }

  /** Takes note of what an answer holds; says why where it is not what was asked. */
  #accept(answer: Answer): true | string {
    const at = this.#at;
    const range = answer.status === 206 ? contentRange(answer) : undefined;
    const length = trustedLength(answer);
    let size = answer.status === 200 ? length : range?.size;
    if (answer.status === 206 && range === undefined) {
      // Another origin may hide where the part begins: then it can only be told by its length.
      if (this.#window !== undefined || length === undefined) return "the answer does not say which bytes it holds";
      if (at > 0 && (this.version.size === undefined || at + length !== this.version.size))
        return "the answer does not say which bytes it holds, and they are not as many as are missing";
      size = at + length;
    }
    if (/^\s*multipart\//i.test(answer.headers.get("content-type") ?? "")) return "the answer is in several parts";
    if (range !== undefined && range.start !== at) return `the answer begins at byte ${range.start}`;
    const version = versionOf(answer, size);
    if (at > 0) {
      if (!sameVersion(this.version, version)) return "the file has changed";
      if (this.#window === undefined && !canCompare(this.version, version)) return "nothing says that it is still the same file";
    }
    this.version = { ...version, size: size ?? this.version.size };
    this.#end = answer.status === 206 ? (range?.end ?? size) : size;
    this.#skip = answer.status === 200 ? at : 0;
    return true;
  }

  /** Asks until somebody answers who is neither away nor busy. */
  async #request(): Promise<Answer> {
    for (;;) {
      const answer = await this.#ranged().catch(async (error: AzulejoError) => {
        this.#how.signal.throwIfAborted();
        await this.#patience.again(error);
      });
      if (answer === undefined) continue;
      if (!isRefusal(answer.status)) return answer;
      discard(answer);
      await this.#patience.again(this.#error(statusOf(answer)), retryAfter(answer));
    }
  }

  async #ranged(): Promise<Answer> {
    if (!/^https?:/i.test(this.#url)) return this.#whole();
    const last = this.#window === undefined ? "" : this.#at + this.#window - 1;
    const ranged = ask(this.#url, this.#how, { headers: { range: `bytes=${this.#at}-${last}` }, cache: this.#cache });
    const answer = await ranged.catch((error: unknown) => {
      this.#how.signal.throwIfAborted();
      // Where a request for a part needs leave and does not get it, one for the whole may need none.
      return this.#whole().catch(() => Promise.reject(error));
    });
    // An empty file has no range to give.
    if (answer.status !== 416 || this.#at > 0) return answer;
    discard(answer);
    return this.#whole();
  }

  #whole(): Promise<Answer> {
    return ask(this.#url, this.#how, { cache: this.#cache });
  }

  #error(what: string, cause?: unknown) {
    return networkError(this.#url, this.#how, what, cause);
  }
}
