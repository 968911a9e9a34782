// `fetch` as the caller gave it: it lives on the page, so the page makes the requests and hands over what comes.

import { fromWire } from "../../shared/errors.js";
import type { FromHost, ToHost } from "../../shared/protocol.js";
import type { Answer, Fetch } from "./http.js";

type Head = Extract<ToHost, { kind: "fetched" }>;
type Piece = Extract<ToHost, { kind: "fetchPiece" }>;
type FromPage = Head | Piece;

/** What one request waits for: its head, then a piece at a time. */
interface Waiting {
  resolve(message: FromPage): void;
}

/** All requests of a host that its page makes. */
export class PageFetch {
  readonly #post: (message: FromHost) => void;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(post: (message: FromHost) => void) {
    this.#post = post;
  }

  receive(message: FromPage): void {
    const waiting = this.#waiting.get(message.fetch);
    this.#waiting.delete(message.fetch);
    waiting?.resolve(message);
  }

  /** `fetch`, for call `id`. */
  for(id: number): Fetch {
    return async (url, { signal, ...request }) => {
      const fetch = ++this.#last;
      const next = (message: FromHost) => this.#ask(fetch, signal, message);
      const { response, error } = (await next({ kind: "fetch", id, fetch, url, request })) as Head;
      if (response === undefined) throw error === undefined ? new TypeError("no answer") : fromWire(error);
      return { ...response, headers: new Headers(response.headers), body: this.#body(fetch, next) };
    };
  }

  /** What the page says next of that request, or the abort if that comes first. */
  #ask(fetch: number, signal: AbortSignal, message: FromHost): Promise<FromPage> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = () => {
        this.#waiting.delete(fetch);
        this.#post({ kind: "fetchCancel", fetch });
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.set(fetch, {
        resolve(message) {
          signal.removeEventListener("abort", abort);
          resolve(message);
        },
      });
      this.#post(message);
    });
  }

  #body(fetch: number, next: (message: FromHost) => Promise<FromPage>): Answer["body"] {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { bytes, error } = (await next({ kind: "fetchPull", fetch })) as Piece;
          if (error !== undefined) throw fromWire(error);
          if (bytes === undefined) controller.close();
          else controller.enqueue(bytes);
        },
        cancel: () => this.#post({ kind: "fetchCancel", fetch }),
      },
      // Nothing is asked for before somebody reads.
      { highWaterMark: 0 },
    );
  }
}
