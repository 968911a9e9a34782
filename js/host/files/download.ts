// A file over HTTP: from what is kept of it, from the network, or some from either.

import { AzulejoError } from "../../shared/errors.js";
import { blobPieces, peek } from "../../shared/store/pieces.js";
import type { ShelfFile } from "../../shared/store/shelf.js";
import { Entry, forgetCopy, forgetMissing, type Keeping } from "../../shared/store/store.js";
import { openBody, OtherVersion, type Body, type BodyOptions } from "./body.js";
import { canShare, offerShared, takeShared } from "./cross-origin.js";
import { currency, isStillMissing, type Asking } from "./currency.js";
import { discard, isPage, looksLikePage, networkError, statusOf, type Requests } from "./http.js";
import type { OpenFile } from "./open-file.js";

/** What the downloads of one load have in common. */
export interface Loads extends Asking {
  cache: boolean;
  /** Nothing that is kept is read: some of it was found wrong. */
  fresh: boolean;
  /** How to forget what has been read of what is kept. */
  copies: Set<() => Promise<void>>;
  /** How to forget what was taken for missing without asking. */
  absences: Set<() => Promise<void>>;
}

export interface Download extends Requests {
  loads: Loads;
  /** What it is kept under. */
  key: string;
  /** Only the front of the file will be read. */
  headerOnly: boolean;
  /** Otherwise a file that is not there is `undefined`. */
  required: boolean;
  sha256?: string;
}

export async function openDownload(url: string, how: Download): Promise<OpenFile | undefined> {
  const entry = await entryOf(url, how);
  let file: OpenFile | undefined;
  try {
    file = entry === undefined ? ((await fromOthers(how)) ?? (await fromNetwork(url, how))) : await find(url, how, entry);
  } finally {
    if (file === undefined) await entry?.close();
  }
  if (file === undefined || entry === undefined) return file;
  const { close } = file;
  return {
    ...file,
    async close() {
      try {
        await close?.();
      } finally {
        await entry.close();
      }
    },
  };
}

async function entryOf(url: string, how: Download): Promise<Entry | undefined> {
  if (!how.loads.cache || !/^https?:/i.test(url)) return undefined;
  const waiting = () => how.note("another load is at it: waiting");
  return Entry.open(how.key, url, { signal: how.signal, ifFree: how.headerOnly, waiting });
}

async function find(url: string, how: Download, entry: Entry): Promise<OpenFile | undefined> {
  const found = (await fromCopy(url, how, entry)) ?? (await fromOthers(how));
  if (found !== undefined) return found;
  if (await isMissing(url, how, entry)) return undefined;
  if (how.headerOnly) return fromNetwork(url, how);
  const before = entry.notes.copy?.data;
  if (!(await entry.alone(how.signal))) return fromNetwork(url, how);
  if (entry.notes.copy?.data !== before) {
    // Meanwhile another load has brought it.
    const brought = await fromCopy(url, how, entry);
    if (brought !== undefined) return brought;
  }
  return throughStore(url, how, entry);
}

// ---------------------------------------------------------------- what is kept

async function fromCopy(url: string, how: Download, entry: Entry): Promise<OpenFile | undefined> {
  if (how.loads.fresh) return undefined;
  const kept = await entry.file();
  if (kept === undefined) return undefined;
  try {
    const { good, checked, note } = await currency(url, how, entry.notes.copy!, how.loads);
    if (good) return await readCopy(how, entry, kept, checked, note);
  } catch (error) {
    await kept.close();
    throw error;
  }
  await kept.close();
  return undefined;
}

async function readCopy(how: Download, entry: Entry, kept: ShelfFile, checked: boolean, note?: string): Promise<OpenFile> {
  const { data } = entry.notes.copy!;
  await entry.used(checked);
  await entry.share(how.signal);
  how.loads.copies.add(() => forgetCopy(how.key, data));
  return {
    name: how.name,
    size: kept.size,
    stage: "read",
    ...(note !== undefined && { note }),
    pieces: whole(kept, how.name),
    close: () => kept.close(),
  };
}

/** What cannot be read to its end is as bad as wrong bytes: it is thrown away, and read from the network. */
async function* whole(kept: ShelfFile, name: string): AsyncGenerator<Uint8Array> {
  const broken = (why: string, cause?: unknown) =>
    new AzulejoError("corrupt-file", `the kept copy of ${name} cannot be read: ${why}`, { file: name }, { cause });
  let bytes = 0;
  const pieces = kept.pieces();
  try {
    for (;;) {
      const { done, value } = await pieces.next().catch((error: unknown) => {
        throw broken((error as Error).message, error);
      });
      if (done) break;
      bytes += value.length;
      yield value;
    }
  } finally {
    await pieces.return(undefined).catch(() => {});
  }
  if (bytes !== kept.size) throw broken(`${bytes} of ${kept.size} bytes came`);
}

/** Whether it was missing before, and is to be taken for missing still. */
async function isMissing(url: string, how: Download, entry: Entry): Promise<boolean> {
  const { missing } = entry.notes;
  if (missing === undefined || how.required || how.loads.fresh) return false;
  const { good, checked, note } = await isStillMissing(url, how, missing, how.loads);
  if (note !== undefined) how.note(note);
  if (good && !checked) how.loads.absences.add(() => forgetMissing(how.key));
  return good;
}

/** What another site has kept. */
async function fromOthers(how: Download): Promise<OpenFile | undefined> {
  if (how.sha256 === undefined || how.loads.fresh || !how.loads.cache || how.headerOnly || !canShare()) return undefined;
  const blob = await takeShared(how.sha256);
  if (blob === undefined) return undefined;
  how.loads.copies.add(async () => {});
  const kept: ShelfFile = { size: blob.size, blob, pieces: () => blobPieces(blob, how.name), close: async () => {} };
  return { name: how.name, size: blob.size, stage: "read", pieces: whole(kept, how.name) };
}

// ---------------------------------------------------------------- the network

interface Arriving extends Body {
  /** What is here of it already; it comes before `pieces`. */
  begun?: ShelfFile;
}

/** The file as it comes; `undefined` where the server says that there is none. */
async function arriving(url: string, how: Download, options: BodyOptions): Promise<Arriving | undefined> {
  const body = await openBody(url, how, options);
  const { status } = body.answer;
  const is = (what: string): undefined => {
    if (!how.required) return undefined;
    throw networkError(url, how, what);
  };
  if (status !== 200 && status !== 206) {
    body.cancel();
    if (NOT_THERE.includes(status)) return is(statusOf(body.answer));
    throw networkError(url, how, statusOf(body.answer));
  }
  const page = "the server answered with an HTML page where a file should be";
  if (isPage(body.answer)) {
    body.cancel();
    return is(page);
  }
  const { head, pieces } = await peek(body.pieces, ENOUGH_OF_A_PAGE);
  body.pieces = pieces;
  if (head.length > 0 && !looksLikePage(head)) return body;
  await pieces.return(undefined);
  return is(head.length === 0 ? "the server answered with nothing where a file should be" : page);
}
const ENOUGH_OF_A_PAGE = 256;
/** What of an optional file is no error. */
const NOT_THERE = [204, 403, 404, 410];

/** Where some files are kept, one that cannot be had and need not be there is not there. */
function orAbsent(error: unknown, how: Download): undefined {
  how.signal.throwIfAborted();
  if (how.required || how.loads.copies.size === 0 || !isNetwork(error)) throw error;
  how.note(`${(error as Error).message}: it is taken for missing`);
  return undefined;
}

const isNetwork = (error: unknown) => error instanceof AzulejoError && error.code === "network";

/** Without keeping it. */
async function fromNetwork(url: string, how: Download): Promise<OpenFile | undefined> {
  const window = how.headerOnly ? FIRST_WINDOW : undefined;
  const body = await arriving(url, how, { window }).catch((error: unknown) => orAbsent(error, how));
  if (body === undefined) return undefined;
  const { pieces, version, sizeHint } = body;
  const close = async () => void (await pieces.return(undefined));
  return { name: how.name, size: version.size, sizeHint, stage: "download", pieces, close };
}
const FIRST_WINDOW = 256 << 10;

/** And keeps it; where that fails, what was kept before is still good. */
async function throughStore(url: string, how: Download, entry: Entry): Promise<OpenFile | undefined> {
  const lastResort = async (why: string): Promise<OpenFile | undefined> => {
    const kept = how.loads.fresh ? undefined : await entry.file();
    return kept && readCopy(how, entry, kept, false, `${why}: the kept copy is used`);
  };
  let body: Arriving | undefined;
  try {
    body = (await goingOn(url, how, entry)) ?? (await arriving(url, how, { cache: "no-store" }));
  } catch (error) {
    how.signal.throwIfAborted();
    const kept = isNetwork(error) ? await lastResort((error as Error).message) : undefined;
    return kept ?? orAbsent(error, how);
  }
  if (body !== undefined) return keeping(how, entry, body);
  const kept = await lastResort("it is no longer there");
  if (kept === undefined) await entry.missing();
  return kept;
}

/** The rest of what is half here, where the server still has the same file. */
async function goingOn(url: string, how: Download, entry: Entry): Promise<Arriving | undefined> {
  const found = how.loads.fresh ? undefined : await entry.begun();
  if (found === undefined) return undefined;
  const { part, file } = found;
  let body: Body | undefined;
  try {
    if (file.size > 0 && (part.etag ?? part.modified) !== undefined)
      body = await openBody(url, how, { from: file.size, version: part, cache: "no-store" });
  } catch (error) {
    if (!(error instanceof OtherVersion)) throw error;
  } finally {
    if (body === undefined) await file.close();
  }
  if (body === undefined) return undefined;
  if (body.answer.status === 200 || body.answer.status === 206) return Object.assign(body, { begun: file });
  discard(body.answer);
  await file.close();
  return undefined;
}

function keeping(how: Download, entry: Entry, body: Arriving): OpenFile {
  const { begun, pieces } = body;
  let keeping: Keeping | undefined;
  async function* written(): AsyncGenerator<Uint8Array> {
    if (begun !== undefined) {
      const { data } = entry.notes.part!;
      how.loads.copies.add(() => forgetCopy(how.key, data));
      yield* whole(begun, how.name);
    }
    keeping = await entry.keep(body.version, begun !== undefined);
    try {
      for await (const piece of pieces) {
        await keeping?.append(piece);
        yield piece;
      }
    } catch (error) {
      // Where its bytes begin it has not told truly either.
      if ((error as Error).cause instanceof OtherVersion) await keeping?.abandon();
      throw error;
    }
    // Without a size only its reader can tell whether it is whole.
    if (body.version.size !== undefined) await keeping?.finish();
  }
  return {
    name: how.name,
    size: body.version.size,
    sizeHint: body.sizeHint,
    stage: "download",
    pieces: written(),
    async confirm() {
      await keeping?.finish();
    },
    async verified() {
      const blob = canShare() ? (await entry.file())?.blob : undefined;
      if (blob !== undefined && how.sha256 !== undefined) await offerShared(how.sha256, blob);
    },
    discard: () => entry.forget("all"),
    async close() {
      await keeping?.close().catch(() => {});
      await pieces.return(undefined);
      body.cancel();
      await begun?.close().catch(() => {});
    },
  };
}
