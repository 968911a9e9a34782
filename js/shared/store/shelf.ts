// Where kept files lie: a flat folder, in the browser or under Node.

export interface Shelf {
  names(): Promise<string[]>;
  /** `undefined` where there is no such file. */
  open(name: string): Promise<ShelfFile | undefined>;
  /** Makes a file one that nobody else writes, under the name `mine` if need be; says under which, if it is still there. */
  take(name: string, mine: string): Promise<string | undefined>;
  /** Goes on behind what is there, or begins a file. One at a time may write it. */
  append(name: string): Promise<ShelfWriter>;
  /** A small file, whole; who reads it meanwhile sees the old or the new. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Nothing happens where it is not there. */
  remove(name: string): Promise<void>;
  /** What there is room for in all, and how much of that is taken, where somebody says so. */
  estimate(): Promise<{ quota?: number; usage?: number }>;
  /** Asks that nothing be removed but by the user. */
  persist(): Promise<boolean>;
}

export interface ShelfFile {
  size: number;
  /** All of it, once. */
  pieces(): AsyncGenerator<Uint8Array>;
  blob?: Blob;
  /** For who does not read it. */
  close(): Promise<void>;
}

export interface ShelfWriter {
  /** What is written of it, also where a write has failed halfway. */
  readonly size: number;
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** There is no more room. */
export const isFull = (error: unknown) =>
  (error as Error).name === "QuotaExceededError" || /^(ENOSPC|EDQUOT)$/.test((error as { code?: string }).code ?? "");

/** A small file; `undefined` where it is not there. */
export async function readText(shelf: Shelf, name: string): Promise<string | undefined> {
  const file = await shelf.open(name);
  if (file === undefined) return undefined;
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of file.pieces()) text += decoder.decode(piece, { stream: true });
  return text + decoder.decode();
}

/** What a small file of JSON says; `undefined` where it cannot be read. */
export async function readJson(shelf: Shelf, name: string): Promise<unknown> {
  try {
    const text = await readText(shelf, name);
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
