// The files of a model on the host's side, wherever they lie: each is read once, from front to back.

import { AzulejoError, invalid } from "../../shared/errors.js";
import type { Job } from "../../shared/jobs.js";
import { decoded, encoded } from "../../shared/percent.js";
import { nodeModule } from "../../shared/platform.js";
import { PIECE, type WireDownloadOptions, type WireFile, type WireSource } from "../../shared/protocol.js";
import { ahead, blobPieces, pathPieces } from "../../shared/store/pieces.js";
import { openDownload, type Loads } from "./download.js";
import type { Fetch, Requests } from "./http.js";
import { hubFile, hubPlace, listHub, type HubSource } from "./hub.js";
import type { OpenFile } from "./open-file.js";
import { isShard } from "./which-gguf.js";

export interface Files {
  /** The GGUF this is, if the caller gave one file. */
  readonly single?: string;
  /** What there is, where that is known. */
  readonly names?: readonly string[];
  /** What there is, where somebody can be asked. */
  list?(): Promise<readonly string[]>;
  /** For messages: where a name is looked for. */
  readonly place: string;
  /** `undefined` where there is no such file. `headerOnly`: only the front will be read. */
  open(name: string, headerOnly: boolean): Promise<OpenFile | undefined>;
  readonly note: Note;
}

/** What the caller should hear of a file. */
export type Note = (file: string, text: string, stage?: OpenFile["stage"]) => void;

/** Bytes of a buffer or stream that lies in the page. */
export type Pull = (file: string, offset: number, length: number) => Promise<Uint8Array | undefined>;

export interface Reach {
  job: Job;
  /** The job's, and the end of what one reading has begun. */
  signal: AbortSignal;
  download: WireDownloadOptions;
  loads: Loads;
  fetch: Fetch;
  pull: Pull;
  note: Note;
}

export async function openFiles(source: WireSource, reach: Reach): Promise<Files> {
  switch (source.kind) {
    case "url":
      return oneUrl(new URL(source.url), reach);
    case "folder":
      return folderUrl(new URL(source.url), reach);
    case "hub":
      return source.path === "" || source.path.endsWith("/") ? hubFolder(source, reach) : hubSingle(source, reach);
    case "path":
      return path(source.path, reach);
    case "directory":
      return directory(source.handle, reach);
    case "files":
      return list(source.files, source.folder, reach);
  }
}

// ---------------------------------------------------------------- addresses

/** The caller chose one file already. */
function refuseChoice({ download: { file, quant } }: Reach, name: string): void {
  if ((file ?? quant) !== undefined)
    throw invalid(`"file" and "quant" choose among the files of a folder, and the source is one file: ${name}`);
}

/** With one file's key, or one of a folder's. */
function download(url: URL, name: string, reach: Reach, how: { single: boolean; headerOnly: boolean; hub?: HubSource }) {
  const { cacheKey, integrity = {} } = reach.download;
  const { single, headerOnly, hub } = how;
  return openDownload(url.href, {
    ...requests(name, reach, hub),
    loads: reach.loads,
    key: cacheKey === undefined ? url.href : single && !isShard(name) ? cacheKey : `${cacheKey}/${name}`,
    headerOnly,
    required: single,
    sha256: Object.hasOwn(integrity, name) ? integrity[name] : undefined,
  });
}

function requests(name: string, { signal, download, fetch, note }: Reach, hub?: HubSource): Requests {
  const { headers = {}, credentials, retries = 4, token } = download;
  return {
    name,
    fetch,
    headers: hub === undefined || token === undefined ? headers : withToken(token, headers),
    credentials,
    signal,
    retries,
    note: (text) => note(name, text),
  };
}

/** Only the hub that it is for gets the token; a redirect to another origin drops it. What the caller says goes before it. */
function withToken(token: string, headers: Record<string, string>): Record<string, string> {
  const says = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
  return says ? headers : { ...headers, authorization: `Bearer ${token}` };
}

function oneUrl(url: URL, reach: Reach): Files {
  const segments = url.pathname.split("/");
  const single = decoded(segments.at(-1)!) || url.host;
  refuseChoice(reach, single);
  return {
    single,
    place: url.href,
    note: reach.note,
    open(name, headerOnly) {
      const sibling = new URL(url);
      sibling.pathname = [...segments.slice(0, -1), encodeURIComponent(name)].join("/");
      // A blob: or data: URL is not a path; nor need the server spell the name as we do.
      return download(name === single ? url : sibling, name, reach, { single: name === single, headerOnly });
    },
  };
}

function folderUrl(folder: URL, reach: Reach): Files {
  const { file } = reach.download;
  return {
    place: folder.href,
    note: reach.note,
    ...(file !== undefined && { single: checkChoice(file) }),
    open(name, headerOnly) {
      const url = new URL(folder);
      url.pathname += encoded(checkName(name));
      return download(url, name, reach, { single: name === file, headerOnly });
    },
  };
}

function hubSingle(source: HubSource, reach: Reach): Files {
  const cut = source.path.lastIndexOf("/") + 1;
  const single = source.path.slice(cut);
  refuseChoice(reach, single);
  return {
    ...hubFolder({ ...source, path: source.path.slice(0, cut) }, reach, single),
    single,
    list: undefined,
  };
}

function hubFolder(source: HubSource, reach: Reach, single = reach.download.file): Files {
  return {
    place: hubPlace(source),
    note: reach.note,
    ...(single !== undefined && { single: checkChoice(single) }),
    list: () => listHub(source, requests("the list of files", reach, source)),
    open: (name, headerOnly) =>
      download(hubFile(source, source.path + checkName(name)), name, reach, { single: name === single, headerOnly, hub: source }),
  };
}

// ---------------------------------------------------------------- files

async function path(pathOrUrl: string, reach: Reach): Promise<Files> {
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
  if (!isFolder) refuseChoice(reach, paths.basename(given));
  return {
    ...(isFolder ? { names: await fs.readdir(given) } : { single: paths.basename(given) }),
    place: given,
    note: reach.note,
    async open(name) {
      const full = paths.join(folder, checkName(name));
      const stat = await fs.stat(full).catch(() => undefined);
      if (stat === undefined || stat.isDirectory()) return undefined;
      return { name, size: stat.size, stage: "read", pieces: pathPieces(full) };
    },
  };
}

async function directory(handle: FileSystemDirectoryHandle, { note }: Reach): Promise<Files> {
  const names: string[] = [];
  for await (const [name, entry] of handle.entries()) if (entry.kind === "file") names.push(name);
  return {
    names,
    place: `the folder ${JSON.stringify(handle.name)}`,
    note,
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
  if (!folder) refuseChoice(reach, files[0]!.name);
  return {
    ...(folder ? { names: files.map((file) => file.name) } : { single: files[0]!.name }),
    place: folder ? "the files given" : "the bytes given",
    note: reach.note,
    async open(name) {
      const file = files.find((each) => each.name === name);
      if (file === undefined) return undefined;
      const size = file.blob?.size ?? file.size;
      const pieces = file.blob !== undefined ? blobPieces(file.blob, name) : pagePieces(name, size, reach);
      return { name, size, stage: "read", pieces };
    },
  };
}

function pagePieces(name: string, size: number | undefined, { job, pull }: Reach): AsyncIterable<Uint8Array> {
  return ahead(async (offset) =>
    size !== undefined && offset >= size ? undefined : job.orAbort(pull(name, offset, PIECE)),
  );
}

function checkChoice(file: string): string {
  try {
    return checkName(file);
  } catch (error) {
    throw invalid(`file: ${(error as Error).message}`);
  }
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
