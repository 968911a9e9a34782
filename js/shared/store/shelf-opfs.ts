// Kept files in the origin private file system.
//
// OPFS rather than the Cache API, because a file that is half there can be added to.

import { blobPieces } from "./pieces.js";
import type { Shelf, ShelfFile, ShelfWriter } from "./shelf.js";

const FOLDER = "azulejo";

/** OPFS's way of writing in place, which TypeScript declares for workers only. */
interface SyncFile {
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}
type Handle = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncFile> };

export class OpfsShelf implements Shelf {
  readonly #folder: FileSystemDirectoryHandle;

  private constructor(folder: FileSystemDirectoryHandle) {
    this.#folder = folder;
  }

  static async open(folder?: string): Promise<OpfsShelf> {
    const root = await navigator.storage.getDirectory();
    const own = await root.getDirectoryHandle(FOLDER, { create: true });
    return new OpfsShelf(folder === undefined ? own : await own.getDirectoryHandle(folder, { create: true }));
  }

  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const [name, handle] of this.#folder.entries()) if (handle.kind === "file") names.push(name);
    return names;
  }

  /** Through a snapshot, which locks nothing: others may read it too. */
  async open(name: string): Promise<ShelfFile | undefined> {
    let blob: Blob;
    try {
      blob = await (await this.#folder.getFileHandle(name)).getFile();
    } catch (error) {
      if ((error as Error).name === "NotFoundError") return undefined;
      throw error;
    }
    return { size: blob.size, blob, pieces: () => blobPieces(blob, name), close: async () => {} };
  }

  /** Who writes holds a Web Lock, and those are the whole browser's. */
  async take(name: string): Promise<string> {
    return name;
  }

  async append(name: string): Promise<ShelfWriter> {
    const handle = (await this.#folder.getFileHandle(name, { create: true })) as Handle;
    // Missing on a page's own thread.
    return handle.createSyncAccessHandle === undefined
      ? StreamWriter.open(handle)
      : new InPlaceWriter(await handle.createSyncAccessHandle());
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const handle = (await this.#folder.getFileHandle(name, { create: true })) as Handle;
    if (handle.createSyncAccessHandle === undefined) {
      const stream = await handle.createWritable();
      // A write that fails has ended the stream.
      await stream.write(bytes as Uint8Array<ArrayBuffer>);
      return stream.close();
    }
    const file = await handle.createSyncAccessHandle();
    try {
      // In one write, and never shorter: nobody sees the half of it.
      const size = Math.max(file.getSize(), Math.ceil(bytes.length / BLOCK) * BLOCK);
      const padded = new Uint8Array(size).fill(SPACE);
      padded.set(bytes);
      if (file.write(padded, { at: 0 }) !== size) throw full();
      file.flush();
    } finally {
      file.close();
    }
  }

  async remove(name: string): Promise<void> {
    await this.#folder.removeEntry(name).catch((error: Error) => {
      if (error.name !== "NotFoundError") throw error;
    });
  }

  async estimate(): Promise<{ quota?: number; usage?: number }> {
    const { quota, usage } = (await navigator.storage.estimate?.()) ?? {};
    return { quota, usage };
  }

  async persist(): Promise<boolean> {
    return (await navigator.storage.persist?.()) ?? false;
  }
}
const BLOCK = 4096;
const SPACE = 0x20;

const full = () => new DOMException("no more room", "QuotaExceededError");

/** In a worker. What is written is there, whatever comes next. */
class InPlaceWriter implements ShelfWriter {
  size: number;
  readonly #file: SyncFile;

  constructor(file: SyncFile) {
    this.#file = file;
    try {
      this.size = file.getSize();
    } catch (error) {
      file.close();
      throw error;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    const written = this.#file.write(bytes, { at: this.size });
    if (written !== bytes.length) throw full();
    this.size += written;
  }

  async close(): Promise<void> {
    try {
      this.#file.flush();
    } finally {
      this.#file.close();
    }
  }
}

/** On a page's own thread: what is written is there once it is closed. */
class StreamWriter implements ShelfWriter {
  size: number;
  readonly #stream: FileSystemWritableFileStream;

  private constructor(stream: FileSystemWritableFileStream, size: number) {
    this.#stream = stream;
    this.size = size;
  }

  static async open(handle: FileSystemFileHandle): Promise<StreamWriter> {
    const { size } = await handle.getFile();
    const stream = await handle.createWritable({ keepExistingData: true });
    try {
      await stream.seek(size);
    } catch (error) {
      await stream.abort().catch(() => {});
      throw error;
    }
    return new StreamWriter(stream, size);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#stream.write(bytes as Uint8Array<ArrayBuffer>);
    this.size += bytes.length;
  }

  close(): Promise<void> {
    return this.#stream.close();
  }
}
