// Sessions that are kept by name, apart from downloads: those may be fetched again.
//
// The host writes them, since only workers may write in place in some browsers; the page reads them.

import { AzulejoError } from "../errors.js";
import type { KeptSession } from "../types.js";
import { takeLock } from "./locks.js";
import { openShelf } from "./open-shelf.js";
import { isFull, type Shelf, type ShelfFile } from "./shelf.js";
import { idOf } from "./store.js";

const FOLDER = "sessions";
const NOTES = ".json";
const notesOf = (id: string) => `${id}${NOTES}`;
const dataOf = (id: string) => `${id}.session`;

/** What is kept of a session beside its bytes: `saved` in milliseconds. */
type Notes = Omit<KeptSession, "saved"> & { saved: number };

/** In place of what had that name. Rejects with "out-of-memory" where there is no room, or nothing can be kept. */
export async function keepSession(name: string, bytes: Uint8Array, tokens: number): Promise<void> {
  const shelf = await openShelf(FOLDER);
  const refused = (why: string, cause?: unknown) =>
    new AzulejoError("out-of-memory", `the session ${JSON.stringify(name)} could not be kept: ${why}`, undefined, { cause });
  if (shelf === undefined) throw refused("a private window, or a page without a secure origin, keeps nothing");
  const id = idOf(name);
  const notes: Notes = { name, bytes: bytes.length, tokens, saved: Date.now() };
  await alone(id, async () => {
    try {
      await shelf.put(dataOf(id), bytes);
      await shelf.put(notesOf(id), new TextEncoder().encode(JSON.stringify(notes)));
    } catch (error) {
      await forget(shelf, id).catch(() => {});
      throw refused(isFull(error) ? "there is no more room" : (error as Error).message, error);
    }
  });
}

/** Its bytes, and perhaps others behind them. */
export async function readSession(name: string): Promise<Uint8Array | undefined> {
  const shelf = await openShelf(FOLDER);
  const file = await shelf?.open(dataOf(idOf(name)));
  return file && whole(file);
}

export async function listSessions(): Promise<KeptSession[]> {
  const shelf = await openShelf(FOLDER);
  const found: KeptSession[] = [];
  for (const name of (await shelf?.names()) ?? []) {
    const notes = name.endsWith(NOTES) ? await readNotes(shelf!, name) : undefined;
    if (notes !== undefined) found.push({ ...notes, saved: new Date(notes.saved) });
  }
  return found.sort((a, b) => b.saved.getTime() - a.saved.getTime());
}

/** Nothing happens where there is none of that name. */
export async function forgetSession(name: string): Promise<void> {
  const shelf = await openShelf(FOLDER);
  const id = idOf(name);
  if (shelf !== undefined) await alone(id, () => forget(shelf, id));
}

/** Two tabs may keep one name. */
async function alone(id: string, work: () => Promise<void>): Promise<void> {
  const release = await takeLock(`azulejo session ${id}`, { mode: "exclusive" });
  try {
    await work();
  } finally {
    await release?.();
  }
}

async function forget(shelf: Shelf, id: string): Promise<void> {
  await shelf.remove(notesOf(id));
  await shelf.remove(dataOf(id));
}

/** `undefined` where they are none. */
async function readNotes(shelf: Shelf, name: string): Promise<Notes | undefined> {
  try {
    const file = await shelf.open(name);
    return file && (JSON.parse(new TextDecoder().decode(await whole(file))) as Notes);
  } catch {
    return undefined;
  }
}

async function whole(file: ShelfFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(file.size);
  let at = 0;
  for await (const piece of file.pieces()) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes.subarray(0, at);
}
