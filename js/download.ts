// A file over HTTP: kept in the browser, resumed where it broke off, or only its front by ranges.

import { AzulejoError } from "./errors.js";
import type { OpenFile } from "./files.js";
import { PIECE, type WireDownloadOptions } from "./protocol.js";
import { StoredFile, type Version } from "./store.js";

export interface Download extends WireDownloadOptions {
  name: string;
  /** Only the front of the file will be read. */
  headerOnly: boolean;
  /** Otherwise a file that is not there is `undefined`. */
  required: boolean;
  signal: AbortSignal;
}

export async function openDownload(url: string, how: Download): Promise<OpenFile | undefined> {
  const keep = how.cache !== false && /^https?:/.test(url);
  const stored = keep ? await StoredFile.open(url) : undefined;
  if (stored === undefined) return how.headerOnly ? ranges(url, how) : plain(url, how);
  let file: OpenFile | undefined;
  try {
    file = await fromStore(url, how, stored);
  } finally {
    // An open file is closed by its reader.
    if (file === undefined) stored.close();
  }
  return file ?? (how.headerOnly ? ranges(url, how) : undefined);
}

// ---------------------------------------------------------------- requests

async function request(url: string, how: Download, extra: RequestInit = {}): Promise<Response> {
  const headers = { ...how.headers, ...(extra.headers as Record<string, string>) };
  try {
    return await fetch(url, { ...extra, headers, credentials: how.credentials, signal: how.signal });
  } catch (error) {
    how.signal.throwIfAborted();
    throw networkError(url, how, (error as Error).message, error);
  }
}

function networkError(url: string, how: Download, what: string, cause?: unknown): AzulejoError {
  return new AzulejoError("network", `${url}: ${what}`, { file: how.name }, { cause });
}

/** Whether the answer is the file; `false` where it may be missing and is. */
async function isFile(response: Response, url: string, how: Download): Promise<boolean> {
  // Many a server answers every unknown path with its start page.
  const html = (response.headers.get("content-type") ?? "").startsWith("text/html");
  if (response.ok && !html) return true;
  await response.body?.cancel();
  if (!how.required && ([403, 404, 410].includes(response.status) || (response.ok && html))) return false;
  const what = response.ok
    ? "the server answered with an HTML page where a file should be"
    : `HTTP ${response.status}${response.statusText ? ` ${response.statusText}` : ""}`;
  throw networkError(url, how, what);
}

function versionOf(response: Response): Version {
  const header = (name: string) => response.headers.get(name) ?? undefined;
  // "bytes 10-19/200"; a compressed answer's length is not the file's.
  const total =
    response.status === 206
      ? header("content-range")?.split("/")[1]
      : header("content-encoding") === undefined
        ? header("content-length")
        : undefined;
  const size = total === undefined || !/^\d+$/.test(total) ? undefined : Number(total);
  return { size, etag: header("etag"), modified: header("last-modified") };
}

/** False only where something both know of differs. */
function sameVersion(a: Version, b: Version): boolean {
  const agree = <T>(x: T | undefined, y: T | undefined) => x === undefined || y === undefined || x === y;
  return agree(a.size, b.size) && agree(a.etag, b.etag) && (a.etag !== undefined || agree(a.modified, b.modified));
}

async function* bodyOf(response: Response, url: string, how: Download): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    how.signal.throwIfAborted();
    throw networkError(url, how, `the connection broke (${(error as Error).message})`, error);
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** What is being read is cancelled by its reader; this is for what nobody began to read. */
function cancel(response: Response): void {
  response.body?.cancel().catch(() => {});
}

// ---------------------------------------------------------------- without a store

async function plain(url: string, how: Download): Promise<OpenFile | undefined> {
  const response = await request(url, how);
  if (!(await isFile(response, url, how))) return undefined;
  return {
    name: how.name,
    size: versionOf(response).size,
    stage: "download",
    pieces: bodyOf(response, url, how),
    close: () => cancel(response),
  };
}

/** Ever longer ranges, for as long as the reader asks for more. */
async function ranges(url: string, how: Download): Promise<OpenFile | undefined> {
  const ask = (from: number, length: number) =>
    request(url, how, { headers: { range: `bytes=${from}-${from + length - 1}` } });
  const first = await ask(0, FIRST_RANGE);
  // An empty file has no range to give.
  if (first.status !== 416 && !(await isFile(first, url, how))) return undefined;
  const { size } = versionOf(first);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    let response = first;
    for (let from = 0, length = FIRST_RANGE; ; length *= 2) {
      if (response.status === 416) return void (await response.body?.cancel());
      for await (const piece of bodyOf(response, url, how)) {
        from += piece.length;
        yield piece;
      }
      // A server that knows no ranges has sent everything.
      if (response.status !== 206 || (size !== undefined && from >= size)) return;
      response = await ask(from, length * 2);
      if (response.status !== 416) await isFile(response, url, { ...how, required: true });
    }
  }
  return { name: how.name, size, stage: "download", pieces: pieces(), close: () => cancel(first) };
}
const FIRST_RANGE = 256 << 10;

// ---------------------------------------------------------------- with one

async function fromStore(url: string, how: Download, stored: StoredFile): Promise<OpenFile | undefined> {
  const { meta } = stored;
  const kept = { discard: () => stored.restart({}), close: () => stored.close() };
  if (meta.complete && (await isCurrent(url, how, meta))) {
    return { name: how.name, size: stored.bytes, stage: "read", pieces: stored.pieces(PIECE), ...kept };
  }
  if (how.headerOnly) return undefined;
  const resumed = await resume(url, how, stored);
  if (resumed !== undefined) {
    return {
      name: how.name,
      size: meta.size,
      stage: "download",
      pieces: both(stored, bodyOf(resumed, url, how), meta.size),
      ...kept,
    };
  }
  // The browser's own cache would keep the file a second time.
  const response = await request(url, how, { cache: "no-store" });
  if (!(await isFile(response, url, how))) return undefined;
  const version = versionOf(response);
  stored.restart(version);
  return {
    name: how.name,
    size: version.size,
    stage: "download",
    pieces: keeping(stored, bodyOf(response, url, how), version.size),
    ...kept,
  };
}

/** Asks the server whether it still has what we keep. Offline, what we keep is what there is. */
async function isCurrent(url: string, how: Download, kept: Version): Promise<boolean> {
  if (navigator.onLine === false) return true;
  try {
    // Conditional headers would cost other origins a preflight; HEAD costs nothing.
    const response = await request(url, how, { method: "HEAD", cache: "no-cache" });
    if (!response.ok) return response.status === 405 || response.status >= 500;
    return sameVersion(kept, versionOf(response));
  } catch {
    how.signal.throwIfAborted();
    return true;
  }
}

/** The rest of what is half here, where the server still has the same file. */
async function resume(url: string, how: Download, stored: StoredFile): Promise<Response | undefined> {
  const { meta, bytes } = stored;
  if (meta.complete || bytes === 0 || (meta.etag === undefined && meta.modified === undefined)) return undefined;
  const response = await request(url, how, { headers: { range: `bytes=${bytes}-` }, cache: "no-store" });
  const version = versionOf(response);
  const known = version.etag !== undefined || version.modified !== undefined;
  if (response.status === 206 && known && sameVersion(meta, version)) return response;
  await response.body?.cancel();
  return undefined;
}

async function* both(
  stored: StoredFile,
  rest: AsyncIterable<Uint8Array>,
  size: number | undefined,
): AsyncGenerator<Uint8Array> {
  yield* stored.pieces(PIECE);
  yield* keeping(stored, rest, size);
}

/** Writes down what passes, until there is no more room. */
async function* keeping(
  stored: StoredFile,
  pieces: AsyncIterable<Uint8Array>,
  size: number | undefined,
): AsyncGenerator<Uint8Array> {
  let room = true;
  for await (const piece of pieces) {
    room &&= stored.append(piece);
    yield piece;
  }
  if (room && (size === undefined || stored.bytes === size)) stored.finish();
}
