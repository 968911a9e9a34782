// Requests to a server, and what its refusals mean.

import { orAborted } from "../page/shared-work.js";
import { aborted, AzulejoError, type ErrorCode } from "../shared/errors.js";
import type { RemoteOptions } from "../shared/types.js";
import { events } from "./events.js";

export class Http {
  /** Without a "/" at its end. */
  readonly url: string;
  readonly #headers: RemoteOptions["headers"];

  constructor(url: string, headers: RemoteOptions["headers"]) {
    this.url = url.replace(/\/+$/, "");
    this.#headers = headers;
  }

  /** What a GET, or with a body a POST, answers: an object. `T` is what the protocol promises; who reads it looks what is there. */
  async json<T>(path: string, body?: object, signal?: AbortSignal): Promise<T> {
    const response = await this.#send(path, body, signal);
    return this.#whole(path, response, signal) as Promise<T>;
  }

  /** The events of an answer, each as JSON; of one that does not stream its whole. */
  async *stream(path: string, body: object, signal: AbortSignal): AsyncGenerator<unknown> {
    const response = await this.#send(path, body, signal);
    if (!/^text\/event-stream/i.test(response.headers.get("content-type") ?? "")) {
      yield await this.#whole(path, response, signal);
      return;
    }
    try {
      for await (const data of events(response.body!)) {
        if (data === "[DONE]") return;
        yield parsed(data, () => this.#unreadable(path, data));
      }
    } catch (error) {
      throw error instanceof AzulejoError ? error : this.#broken(path, error, signal);
    }
  }

  async #send(path: string, body: object | undefined, signal: AbortSignal | undefined): Promise<Response> {
    const headers = await this.#headersNow(signal);
    if (body !== undefined) headers.set("content-type", "application/json");
    let response: Response;
    try {
      const what = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
      response = await fetch(this.url + path, { ...what, headers, signal: signal ?? null });
    } catch (error) {
      if (signal?.aborted) throw aborted(signal);
      // Browsers do not tell a page which of these it was.
      const why = "the server is not there, or does not allow this page's origin";
      throw this.#error("network", path, `${(error as Error).message}: ${why}`, error);
    }
    if (response.ok) return response;
    const text = await response.text().catch(() => "");
    throw this.#error(...meaningOf(response.status, path, text));
  }

  async #headersNow(signal: AbortSignal | undefined): Promise<Headers> {
    const given = this.#headers;
    if (typeof given !== "function") return new Headers(given);
    try {
      return new Headers(await orAborted(given(), signal));
    } catch (error) {
      if (signal?.aborted) throw aborted(signal);
      throw new AzulejoError("invalid-argument", `headers: ${(error as Error)?.message ?? String(error)}`, undefined, { cause: error });
    }
  }

  async #whole(path: string, response: Response, signal: AbortSignal | undefined): Promise<unknown> {
    let text: string;
    try {
      text = await response.text();
    } catch (error) {
      throw this.#broken(path, error, signal);
    }
    return parsed(text, () => this.#unreadable(path, text));
  }

  #broken(path: string, error: unknown, signal: AbortSignal | undefined): AzulejoError {
    if (signal?.aborted) return aborted(signal);
    return this.#error("network", path, `the connection broke (${(error as Error).message})`, error);
  }

  #unreadable(path: string, text: string): AzulejoError {
    return this.#error("network", path, `the answer is no object of JSON, but ${JSON.stringify(text.slice(0, 80))}`);
  }

  /** The address is told without what may be secret in it. */
  #error(code: ErrorCode, path: string, message: string, cause?: unknown): AzulejoError {
    const { origin, pathname } = new URL(this.url + path);
    return new AzulejoError(code, `${origin}${pathname}: ${message}`, undefined, cause === undefined ? undefined : { cause });
  }
}

/** No protocol here answers with less than an object. */
function parsed(text: string, otherwise: () => AzulejoError): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // The same as any other text.
  }
  throw otherwise();
}

/** An error in the words of a server: OpenAI's form, FastAPI's, or KServe's. */
export function wordsOf(body: unknown): { message: string | undefined; kind: string } {
  const { error, detail, message: own } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const { message, code, type } = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>;
  const words = [message, error, own, detail].find((each) => typeof each === "string");
  const listed = typeof detail === "object" && detail !== null ? JSON.stringify(detail).slice(0, 300) : undefined;
  return { message: (words as string | undefined) ?? listed, kind: `${String(code)} ${String(type)}` };
}

/** Of a text that is too long each server has a name of its own; vLLM says it in words. */
export const TOO_LONG = /context_length_exceeded|exceed_context_size|maximum context length/;

function meaningOf(status: number, path: string, text: string): [ErrorCode, string, string] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // A page of some proxy's.
  }
  const { message, kind } = wordsOf(body);
  const said = `the server answered ${status}${message === undefined ? "" : `: ${message}`}`;
  if (TOO_LONG.test(`${kind} ${message}`)) return ["context-full", path, said];
  if (status === 401 || status === 403) return ["network", path, `${said} (it wants a key, or another one: see \`headers\`)`];
  if (status === 404) return ["missing-file", path, `${said} (does \`url\` end where the protocol's paths begin, as in "/v1"?)`];
  if (status === 501) return ["unsupported-model", path, said];
  if (status === 429 || status >= 500) return ["network", path, said];
  return ["invalid-argument", path, said];
}
