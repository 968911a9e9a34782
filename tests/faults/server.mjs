// A stand-in for `fetch` and the server behind it: files that can be had whole or by ranges, and answers that a test
// twists: cut, refused, never given, or a lie.

import { gzipSync } from "node:zlib";
import { Injector } from "./injector.mjs";

export const ORIGIN = "http://models.test/";
/** Bytes a piece: small, so that there is a before and an after within a small file. */
const PIECE = 8 << 10;

export class Server {
  /** path → { bytes, etag?, modified?, type? } */
  files = {};
  /** What was asked: { method, path, range }. */
  log = [];
  /** All paths that were asked for in this trial. */
  asked = new Set();
  /** Bodies that are neither read to their end nor given up. */
  open = 0;
  /** Bytes of bodies that have left. */
  sent = 0;
  /** After so many of them the connection breaks. */
  breakAt = Infinity;
  /** Pieces of bodies: a place to fail at. */
  injector = new Injector();
  /** Called when it does. */
  onBreak = () => {};
  /** Changes an answer before it leaves: (answer, request, n), n from 1. It may throw, or give back `HANG`. */
  twist = (answer) => answer;
  #stir;

  /** `stir` is called whenever something happens. */
  constructor(stir = () => {}) {
    this.#stir = stir;
    this.fetch = (input, init) => this.#fetch(String(input?.url ?? input), init ?? {});
  }

  reset(files) {
    this.files = files;
    this.sent = 0;
    this.asked.clear();
    this.heal();
  }

  /** An honest server again. */
  heal() {
    this.log = [];
    this.breakAt = Infinity;
    this.onBreak = () => {};
    this.injector.disarm();
    this.twist = (answer) => answer;
  }

  async #fetch(url, { method = "GET", headers, signal }) {
    signal?.throwIfAborted();
    const given = new Headers(headers);
    const path = decodeURIComponent(new URL(url).pathname.slice(1));
    const request = { method, path, range: given.get("range") ?? undefined, ifRange: given.get("if-range") ?? undefined };
    this.log.push(request);
    this.asked.add(path);
    this.#stir();
    await undefined;
    const answer = this.twist(this.#answer(request), request, this.log.length);
    return answer === HANG ? forEver(signal) : this.#respond(answer, request, url, signal);
  }

  /** What an honest server says. */
  #answer({ path, range, ifRange }) {
    const file = this.files[path];
    if (file === undefined) return { status: 404, headers: { "content-type": "text/plain" }, body: text("not here") };
    const { bytes, etag, modified, type = "application/octet-stream" } = file;
    const named = { ...(etag && { etag }), ...(modified && { "last-modified": modified }) };
    const headers = { "content-type": type, "accept-ranges": "bytes", ...named };
    const whole = { status: 200, headers: { ...headers, "content-length": bytes.length }, body: bytes };
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
    if (first === undefined || (ifRange !== undefined && ifRange !== etag && ifRange !== modified)) return whole;
    const [from, to] = [Number(first), Math.min(last ? Number(last) + 1 : bytes.length, bytes.length)];
    if (from >= bytes.length) return { status: 416, headers: { "content-range": `bytes */${bytes.length}` }, body: text("") };
    return partial(whole, from, to);
  }

  #respond({ status, headers, body, ends }, { method }, url, signal) {
    const defined = Object.entries(headers).filter(([, value]) => value !== undefined);
    const empty = method === "HEAD" || [204, 304].includes(status);
    const response = new Response(empty ? null : this.#stream(body, ends, signal), { status, headers: Object.fromEntries(defined) });
    return Object.defineProperty(response, "url", { value: url });
  }

  /** `ends`: { at, how: "broken" | "silently" | "never" }, before all has been sent. */
  #stream(body, ends, signal) {
    let at = 0;
    let abort = () => {};
    this.open++;
    let over = () => {
      over = () => {};
      this.open--;
      signal?.removeEventListener("abort", abort);
    };
    return new ReadableStream({
      start: (controller) => {
        abort = () => {
          over();
          controller.error(signal.reason);
        };
        signal?.addEventListener("abort", abort);
      },
      pull: async (controller) => {
        this.#stir();
        const until = ends?.at ?? body.length;
        if (at >= until) return this.#end(controller, ends?.how ?? "silently", over);
        const left = this.breakAt - this.sent;
        if (left <= 0) return this.#broken(controller, over);
        try {
          this.injector.pass("piece");
        } catch (error) {
          over();
          throw error;
        }
        const piece = body.slice(at, Math.min(at + Math.min(PIECE, left), until));
        at += piece.length;
        this.sent += piece.length;
        if (!signal?.aborted) controller.enqueue(piece);
      },
      cancel: () => over(),
    }, { highWaterMark: 0 });
  }

  #broken(controller, over) {
    this.breakAt = Infinity;
    this.onBreak();
    return this.#end(controller, "broken", over);
  }

  #end(controller, how, over) {
    if (how === "never") return new Promise(() => {});
    over();
    if (how === "broken") controller.error(new TypeError("terminated"));
    else controller.close();
    return undefined;
  }
}

/** No answer, until the caller gives up. */
export const HANG = Symbol("no answer");

function forEver(signal) {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

/** A twist: nobody answers at that address. */
export function refused() {
  throw new TypeError("Failed to fetch");
}

export const text = (content) => new TextEncoder().encode(content);

/** Of a whole answer, the part from `from` up to, not with, `to`. */
export function partial({ headers, body }, from, to) {
  return {
    status: 206,
    headers: { ...headers, "content-length": to - from, "content-range": `bytes ${from}-${to - 1}/${body.length}` },
    body: body.subarray(from, to),
  };
}

/** As a server that compresses on the way sends it: `fetch` unpacks the body, and the length is the packed one's. */
export function gzipped({ status, headers, body }) {
  const etag = headers.etag?.replace(/"$/, '-gzip"');
  return {
    status,
    headers: { ...headers, etag, "content-encoding": "gzip", "content-length": gzipSync(body).length, vary: "accept-encoding" },
    body,
  };
}
