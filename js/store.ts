// Downloads kept in the browser: OPFS, a data file and a small JSON beside it for each URL.
//
// OPFS rather than the Cache API, because a file that is half there can be added to.

import { Sha256 } from "./sha256.js";

const FOLDER = "azulejo";

/** What a server said of a file, to know it again. */
export interface Version {
  size?: number;
  etag?: string;
  modified?: string;
}

export interface Meta extends Version {
  url: string;
  complete: boolean;
}

/** OPFS's way of writing in place, which TypeScript declares for workers only. */
interface SyncFile {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}
type SyncFileHandle = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncFile> };

/** `undefined` where there is none: Node, private windows, pages without a secure origin. */
export async function folder(): Promise<FileSystemDirectoryHandle | undefined> {
  if (typeof navigator === "undefined" || navigator.storage?.getDirectory === undefined) return undefined;
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
  } catch {
    return undefined;
  }
}

export function keyOf(url: string): string {
  const hash = new Sha256();
  hash.update(new TextEncoder().encode(url));
  return hash.finish();
}

/** What is kept of one URL. Only one at a time may hold it. */
export class StoredFile {
  meta: Meta;
  readonly #data: SyncFile;
  readonly #notes: SyncFile;

  private constructor(data: SyncFile, notes: SyncFile, meta: Meta) {
    this.#data = data;
    this.#notes = notes;
    this.meta = meta;
  }

  /** `undefined` where nothing can be kept, or another tab is at it. Works in a worker only. */
  static async open(url: string): Promise<StoredFile | undefined> {
    const key = keyOf(url);
    let data: SyncFile | undefined;
    try {
      const inside = await folder();
      if (inside === undefined) return undefined;
      const open = async (name: string) =>
        ((await inside.getFileHandle(name, { create: true })) as SyncFileHandle).createSyncAccessHandle?.();
      data = await open(key);
      // Missing on a page's own thread.
      if (data === undefined) return undefined;
      const notes = (await open(`${key}.json`))!;
      return new StoredFile(data, notes, readMeta(notes, url));
    } catch {
      data?.close();
      return undefined;
    }
  }

  get bytes(): number {
    return this.#data.getSize();
  }

  async *pieces(length: number): AsyncGenerator<Uint8Array> {
    const buffer = new Uint8Array(length);
    for (let at = 0; ;) {
      const read = this.#data.read(buffer, { at });
      if (read === 0) return;
      yield buffer.subarray(0, read);
      at += read;
    }
  }

  /** Forgets what is there; `version` comes next. */
  restart(version: Version): void {
    this.#data.truncate(0);
    this.#write({ ...version, url: this.meta.url, complete: false });
  }

  /** False where there is no room: what is there goes too. */
  append(bytes: Uint8Array): boolean {
    try {
      if (this.#data.write(bytes, { at: this.bytes }) === bytes.length) return true;
    } catch {
      // Over the quota.
    }
    this.restart({});
    return false;
  }

  finish(): void {
    this.#data.flush();
    this.#write({ ...this.meta, size: this.bytes, complete: true });
  }

  close(): void {
    this.#data.close();
    this.#notes.close();
  }

  #write(meta: Meta): void {
    this.meta = meta;
    const bytes = new TextEncoder().encode(JSON.stringify(meta));
    this.#notes.truncate(0);
    this.#notes.write(bytes, { at: 0 });
    this.#notes.flush();
  }
}

function readMeta(notes: SyncFile, url: string): Meta {
  const bytes = new Uint8Array(notes.getSize());
  notes.read(bytes, { at: 0 });
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Meta;
  } catch {
    return { url, complete: false };
  }
}
