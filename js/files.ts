// The files of a model on the host's side, wherever they lie: each is read once, from front to back.

import { AzulejoError } from "./errors.js";
import { openDownload } from "./download.js";
import type { Job } from "./jobs.js";
import { nodeModule } from "./platform.js";
import { PIECE, type WireDownloadOptions, type WireFile, type WireSource } from "./protocol.js";

export interface OpenFile {
  name: string;
  size?: number;
  stage: "download" | "read";
  /** Each piece is good until the next is asked for. */
  pieces: AsyncIterable<Uint8Array>;
  /** It turned out wrong: forget the kept copy of it. Before `close`. */
  discard?(): void;
  /** Whoever opened it calls this when done, read or not. */
  close?(): void;
}

export interface Files {
  /** The GGUF this is, if the caller gave one file. */
  readonly single?: string;
  /** What there is, where that can be listed. */
  readonly names?: readonly string[];
  /** For messages: where a name is looked for. */
  readonly place: string;
  /** `undefined` where there is no such file. `headerOnly`: only the front will be read. */
  open(name: string, headerOnly: boolean): Promise<OpenFile | undefined>;
}

/** Bytes of a buffer or stream that lies in the page. */
export type Pull = (file: string, offset: number, length: number) => Promise<Uint8Array | undefined>;

export interface Reach {
  job: Job;
  download: WireDownloadOptions;
  pull: Pull;
}

export async function openFiles(source: WireSource, reach: Reach): Promise<Files> {
  switch (source.kind) {
    case "url":
      return oneUrl(new URL(source.url), reach);
    case "folder":
      return folderUrl(new URL(source.url), reach);
    case "hub":
      return hub(source, reach);
    case "path":
      return path(source.path);
    case "directory":
      return directory(source.handle);
    case "files":
      return list(source.files, source.folder, reach);
  }
}

function oneUrl(url: URL, reach: Reach): Files {
  const segments = url.pathname.split("/");
  const single = decodeURIComponent(segments.at(-1)!) || url.host;
  return {
    single,
    place: url.href,
    open(name, headerOnly) {
      const sibling = new URL(url);
      sibling.pathname = [...segments.slice(0, -1), encodeURIComponent(name)].join("/");
      // A blob: or data: URL is not a path; nor need the server spell the name as we do.
      const href = name === single ? url.href : sibling.href;
      return openDownload(href, {
        name,
        headerOnly,
        required: name === single,
        signal: reach.job.signal,
        ...reach.download,
      });
    },
  };
}

function folderUrl(folder: URL, reach: Reach): Files {
  return {
    place: folder.href,
    open(name, headerOnly) {
      const url = new URL(folder);
      url.pathname += checkName(name).split("/").map(encodeURIComponent).join("/");
      return openDownload(url.href, { name, headerOnly, required: false, signal: reach.job.signal, ...reach.download });
    },
  };
}

function hub({ endpoint, repo, revision, path }: Extract<WireSource, { kind: "hub" }>, reach: Reach): Files {
  const segments = [...repo.split("/"), "resolve", revision, ...path.split("/")];
  const url = new URL(segments.map(encodeURIComponent).join("/"), endpoint);
  return path === "" || path.endsWith("/") ? folderUrl(url, reach) : oneUrl(url, reach);
}

async function path(pathOrUrl: string): Promise<Files> {
  const [fs, paths, urls] = await Promise.all([
    nodeModule("node:fs/promises"),
    nodeModule("node:path"),
    nodeModule("node:url"),
  ]);
  const given = pathOrUrl.startsWith("file:") ? urls.fileURLToPath(pathOrUrl) : pathOrUrl;
  const there = await fs.stat(given).catch((error: Error) => {
    throw new AzulejoError("missing-file", `${given}: ${error.message}`, { file: given });
  });
  const isFolder = there.isDirectory();
  const folder = isFolder ? given : paths.dirname(given);
  return {
    ...(isFolder ? { names: await fs.readdir(given) } : { single: paths.basename(given) }),
    place: given,
    async open(name) {
      const full = paths.join(folder, checkName(name));
      const stat = await fs.stat(full).catch(() => undefined);
      if (stat === undefined || stat.isDirectory()) return undefined;
      return { name, size: stat.size, stage: "read", pieces: nodePieces(full) };
    },
  };
}

async function* nodePieces(full: string): AsyncGenerator<Uint8Array> {
  const { open } = await nodeModule("node:fs/promises");
  const file = await open(full);
  try {
    const buffer = new Uint8Array(PIECE);
    for (let at = 0; ;) {
      const { bytesRead } = await file.read(buffer, 0, PIECE, at);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

async function directory(handle: FileSystemDirectoryHandle): Promise<Files> {
  const names: string[] = [];
  for await (const [name, entry] of handle.entries()) if (entry.kind === "file") names.push(name);
  return {
    names,
    place: `the folder ${JSON.stringify(handle.name)}`,
    async open(name) {
      const segments = checkName(name).split("/");
      try {
        let folder = handle;
        for (const segment of segments.slice(0, -1)) folder = await folder.getDirectoryHandle(segment);
        const blob = await (await folder.getFileHandle(segments.at(-1)!)).getFile();
        return { name, size: blob.size, stage: "read", pieces: blobPieces(blob, name) };
      } catch (error) {
        if ((error as Error).name === "NotFoundError") return undefined;
        throw error;
      }
    },
  };
}

function list(files: WireFile[], folder: boolean, reach: Reach): Files {
  return {
    ...(folder ? { names: files.map((file) => file.name) } : { single: files[0]!.name }),
    place: folder ? "the files given" : "the bytes given",
    async open(name) {
      const file = files.find((each) => each.name === name);
      if (file === undefined) return undefined;
      const size = file.blob?.size ?? file.size;
      const pieces = file.blob !== undefined ? blobPieces(file.blob, name) : pagePieces(name, size, reach);
      return { name, size, stage: "read", pieces };
    },
  };
}

/** One piece ahead, so that reading and computing overlap. */
async function* ahead(next: (offset: number) => Promise<Uint8Array | undefined>): AsyncGenerator<Uint8Array> {
  let offset = 0;
  let coming = next(0);
  for (;;) {
    const piece = await coming;
    if (piece === undefined || piece.length === 0) return;
    offset += piece.length;
    coming = next(offset);
    coming.catch(() => {}); // Nobody may be left to hear of it.
    yield piece;
  }
}

function blobPieces(blob: Blob, name: string): AsyncIterable<Uint8Array> {
  return ahead(async (offset) => {
    if (offset >= blob.size) return undefined;
    try {
      return new Uint8Array(await blob.slice(offset, offset + PIECE).arrayBuffer());
    } catch (error) {
      throw new AzulejoError("missing-file", `${name} can no longer be read: ${(error as Error).message}`, {
        file: name,
        offset,
      });
    }
  });
}

function pagePieces(name: string, size: number | undefined, { job, pull }: Reach): AsyncIterable<Uint8Array> {
  return ahead(async (offset) =>
    size !== undefined && offset >= size ? undefined : job.orAbort(pull(name, offset, PIECE)),
  );
}

/** Names come from index files too: none may lead out of the folder. */
function checkName(name: string): string {
  if (/^[/\\]|\\|:|(^|\/)\.\.?(\/|$)|\0/.test(name)) {
    throw new AzulejoError("corrupt-file", `${JSON.stringify(name)} is not the name of a file in this folder`, {
      file: name,
    });
  }
  return name;
}

/** A small file, whole. */
export async function readText(files: Files, name: string): Promise<string | undefined> {
  const file = await files.open(name, false);
  if (file === undefined) return undefined;
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  try {
    for await (const piece of file.pieces) {
      bytes += piece.length;
      if (bytes > MOST_TEXT)
        throw new AzulejoError("corrupt-file", `${name} is over ${MOST_TEXT >> 20} MiB`, { file: name, offset: bytes });
      text += decoder.decode(piece, { stream: true });
    }
  } finally {
    file.close?.();
  }
  return text + decoder.decode();
}
const MOST_TEXT = 128 << 20;
