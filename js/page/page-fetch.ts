// Requests that the page makes for its worker, with the `fetch` that the caller gave: proxies, tests, signed addresses.

import { AzulejoError, invalid, toWire } from "../shared/errors.js";
import type { FromHost, ToHost, WireRequest, WireResponse } from "../shared/protocol.js";
import type { Fetch, FetchAnswer, FetchInit } from "../shared/types.js";

type Post = (message: ToHost, transfer?: Transferable[]) => void;

/** All requests of one connection, by their numbers. */
export class PageFetches {
  readonly #post: Post;
  readonly #open = new Map<number, Request>();

  constructor(post: Post) {
    this.#post = post;
  }

  /** Answers a "fetch" with "fetched". */
  async start({ id, fetch, url, request }: Extract<FromHost, { kind: "fetch" }>, how: Fetch | undefined): Promise<void> {
    if (how === undefined) return; // Its call is over.
    const made: Request = { call: id, controller: new AbortController() };
    this.#open.set(fetch, made);
    try {
      const response = await how(url, initOf(request, made.controller.signal));
      const head = headOf(response);
      if (this.#open.get(fetch) !== made) return bodyOf(response).cancel();
      made.body = bodyOf(response);
      this.#post({ kind: "fetched", fetch, response: head });
    } catch (error) {
      this.#fail(fetch, made, (error) => ({ kind: "fetched", fetch, error }), error);
    }
  }

  /** Answers a "fetchPull" with "fetchPiece". */
  async pull(fetch: number): Promise<void> {
    const made = this.#open.get(fetch);
    if (made?.body === undefined) return;
    try {
      const bytes = await made.body.next();
      if (this.#open.get(fetch) !== made) return;
      if (bytes === undefined) this.#open.delete(fetch);
      const message: ToHost = { kind: "fetchPiece", fetch, ...(bytes !== undefined && { bytes }) };
      this.#post(message, bytes === undefined ? [] : [bytes.buffer]);
    } catch (error) {
      this.#fail(fetch, made, (error) => ({ kind: "fetchPiece", fetch, error }), error);
    }
  }

  cancel(fetch: number): void {
    const made = this.#open.get(fetch);
    this.#open.delete(fetch);
    made?.controller.abort();
    // Not every stand-in for fetch heeds its signal.
    made?.body?.cancel();
  }

  /** A call has ended, and whatever it had asked for. */
  endOf(call: number): void {
    for (const [fetch, made] of this.#open) if (made.call === call) this.cancel(fetch);
  }

  #fail(fetch: number, made: Request, message: (error: ReturnType<typeof toWire>) => ToHost, error: unknown): void {
    if (this.#open.get(fetch) !== made) return; // Cancelled: nobody waits.
    this.#open.delete(fetch);
    const network = (error: unknown) =>
      new AzulejoError("network", error instanceof Error ? error.message : String(error), undefined, { cause: error });
    this.#post(message(toWire(error instanceof AzulejoError ? error : network(error))));
  }
}

interface Request {
  call: number;
  controller: AbortController;
  body?: Body;
}

interface Body {
  /** Its next piece, ours to give away; `undefined` at its end. */
  next(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  cancel(): void;
}

function initOf(request: WireRequest, signal: AbortSignal): FetchInit {
  const { method, headers, credentials, cache } = request;
  return { method, headers, ...(credentials && { credentials }), ...(cache && { cache }), signal };
}

function headOf(response: FetchAnswer): WireResponse {
  const { status, statusText = "", url = "", type = "basic", headers } = (response ?? {}) as Partial<Response>;
  if (!Number.isInteger(status) || typeof headers?.forEach !== "function")
    throw invalid("fetch should resolve to a Response");
  const pairs: [string, string][] = [];
  headers.forEach((value, name) => pairs.push([name, value]));
  return { status: status!, statusText, url, type, headers: pairs };
}

function bodyOf(response: FetchAnswer): Body {
  const { body } = response as Response;
  if (typeof body?.getReader === "function") {
    const reader = body.getReader();
    return {
      async next() {
        const { done, value } = await reader.read();
        if (done) return undefined;
        if (!ArrayBuffer.isView(value)) throw invalid("the body that fetch gave should be bytes");
        // A copy: the chunk may be a view of something that is still needed.
        return new Uint8Array(value);
      },
      cancel: () => void reader.cancel().catch(() => {}),
    };
  }
  // Some stand-ins for fetch have streams of another kind.
  let over = body === null;
  return {
    async next() {
      if (over) return undefined;
      over = true;
      return new Uint8Array(await (response as Response).arrayBuffer());
    },
    cancel() {},
  };
}
