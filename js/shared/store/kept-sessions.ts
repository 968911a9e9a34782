// Sessions that are kept by name, apart from downloads: those may be fetched again.
//
// The host writes them, since only workers may write in place in some browsers; the page reads them.

import { AzulejoError } from "../errors.js";
import type { KeptSession } from "../types.js";
import { takeLock, type Mode } from "./locks.js";
import { openShelf } from "./open-shelf.js";
import { isFull, readJson, type Shelf, type ShelfFile } from "./shelf.js";
import { idOf } from "./store.js";

const FOLDER = "sessions";
const NOTES = ".json";
const notesOf = (id: string) => `${id}${NOTES}`;

/** What is kept of a session: `saved` in milliseconds, and the file that has its bytes. */
type Notes = Omit<KeptSession, "saved"> & { saved: number; data: string };

/**
 * In place of what had that name, which stays where it fails. Rejects with "out-of-memory" where there is no room, or
 * nothing can be kept.
 */
export async function keepSession(name: string, bytes: Uint8Array, tokens: number): Promise<void> {
  const shelf = await openShelf(FOLDER);
  const refused = (why: string, cause?: unknown) =>
    new AzulejoError("out-of-memory", `the session ${JSON.stringify(name)} could not be kept: ${why}`, undefined, { cause });
  if (shelf === undefined) throw refused("a private window, or a page without a secure origin, keeps nothing");
  const id = idOf(name);
  const data = `${id}.${Math.random().toString(36).slice(2)}`;
  const notes: Notes = { name, bytes: bytes.length, tokens, saved: Date.now(), data };
  await alone(id, "exclusive", async () => {
    try {
      await shelf.put(data, bytes);
      await shelf.put(notesOf(id), new TextEncoder().encode(JSON.stringify(notes)));
    } catch (error) {
      await shelf.remove(data).catch(() => {});
      throw refused(isFull(error) ? "there is no more room" : (error as Error).message, error);
    }
    await removeAll(shelf, id, [notesOf(id), data]).catch(() => {});
  });
}

/** Its bytes, and perhaps others behind them; `undefined` where there is none of that name. */
export async function readSession(name: string): Promise<Uint8Array | undefined> {
  const shelf = await openShelf(FOLDER);
  const id = idOf(name);
  return alone(id, "shared", async () => {
    const notes = shelf && (await readNotes(shelf, notesOf(id)));
    const file = notes && (await shelf.open(notes.data));
    return file && whole(file);
  });
}

export async function listSessions(): Promise<KeptSession[]> {
  const shelf = await openShelf(FOLDER);
  const found: KeptSession[] = [];
  for (const file of (await shelf?.names()) ?? []) {
    const notes = file.endsWith(NOTES) ? await readNotes(shelf!, file) : undefined;
    if (notes === undefined) continue;
    const { name, bytes, tokens, saved } = notes;
    found.push({ name, bytes, tokens, saved: new Date(saved) });
  }
  return found.sort((a, b) => b.saved.getTime() - a.saved.getTime());
}

/** Nothing happens where there is none of that name. */
export async function forgetSession(name: string): Promise<void> {
  const shelf = await openShelf(FOLDER);
  const id = idOf(name);
  if (shelf !== undefined) await alone(id, "exclusive", () => removeAll(shelf, id, []));
}

/** Two tabs may keep one name. */
async function alone<T>(id: string, mode: Mode, work: () => Promise<T>): Promise<T> {
  const release = await takeLock(`azulejo session ${id}`, { mode });
  try {
    return await work();
  } finally {
    await release?.();
  }
}

/** All files of a session but those. */
async function removeAll(shelf: Shelf, id: string, but: string[]): Promise<void> {
  for (const name of await shelf.names()) if (name.startsWith(`${id}.`) && !but.includes(name)) await shelf.remove(name);
}

/** `undefined` where they are none. */
const readNotes = (shelf: Shelf, name: string) => readJson(shelf, name) as Promise<Notes | undefined>;

async function whole(file: ShelfFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(file.size);
  let at = 0;
  for await (const piece of file.pieces()) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes.subarray(0, at);
}
