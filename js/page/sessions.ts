// Conversations that the package keeps by name, apart from its downloads: those may be fetched again.

import { AzulejoError, invalid } from "../shared/errors.js";
import { takeLock } from "../shared/store/locks.js";
import { openShelf } from "../shared/store/open-shelf.js";
import { isFull, type Shelf, type ShelfFile } from "../shared/store/shelf.js";
import { idOf } from "../shared/store/store.js";
import type { KeptSession, Session } from "../shared/types.js";
import { CausalLM } from "./causal-lm.js";
import { RemoteSession } from "./session.js";
import { checkText, describe } from "./validate.js";

const FOLDER = "sessions";

/** What is kept of a session beside its bytes: `saved` as milliseconds. */
type Notes = Omit<KeptSession, "saved"> & { saved: number };

/** Conversations kept by name, in the browser or under Node in a folder, so that they go on after a reload. */
export const sessions = {
  /** In place of what had that name. Rejects with "out-of-memory" where there is no room, or nothing can be kept. */
  async save(name: string, session: Session): Promise<void> {
    const id = idOf(checkName(name));
    if (!(session instanceof RemoteSession)) throw invalid(`session should be a Session, not ${describe(session)}`);
    const blob = await session.save();
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const notes: Notes = { name, bytes: bytes.length, tokens: session.length, saved: Date.now() };
    const shelf = await openShelf(FOLDER);
    if (shelf === undefined) throw new AzulejoError("out-of-memory", "nothing can be kept here: a private window, or a page without a secure origin");
    await alone(id, async () => {
      try {
        await shelf.put(dataOf(id), bytes);
        await shelf.put(notesOf(id), new TextEncoder().encode(JSON.stringify(notes)));
      } catch (error) {
        await forget(shelf, id).catch(() => {});
        const why = isFull(error) ? "there is no more room" : (error as Error).message;
        throw new AzulejoError("out-of-memory", `the session ${JSON.stringify(name)} could not be kept: ${why}`, undefined, { cause: error });
      }
    });
  },

  /** A session that goes on where it was saved. Rejects as `restoreSession`, or with "missing-file". */
  async restore(name: string, model: CausalLM): Promise<Session> {
    const id = idOf(checkName(name));
    if (!(model instanceof CausalLM)) throw invalid(`model should be a CausalLM, not ${describe(model)}`);
    const file = await (await openShelf(FOLDER))?.open(dataOf(id));
    if (file === undefined) throw new AzulejoError("missing-file", `no session is kept by the name ${JSON.stringify(name)}`);
    return model.restoreSession(await whole(file));
  },

  /** The latest first. */
  async list(): Promise<KeptSession[]> {
    const shelf = await openShelf(FOLDER);
    const found: KeptSession[] = [];
    for (const name of (await shelf?.names()) ?? []) {
      if (!name.endsWith(NOTES)) continue;
      const notes = await readNotes(shelf!, name);
      if (notes !== undefined) found.push({ ...notes, saved: new Date(notes.saved) });
    }
    return found.sort((a, b) => b.saved.getTime() - a.saved.getTime());
  },

  /** Nothing happens where there is none of that name. */
  async delete(name: string): Promise<void> {
    const id = idOf(checkName(name));
    const shelf = await openShelf(FOLDER);
    if (shelf !== undefined) await alone(id, () => forget(shelf, id));
  },
};

const NOTES = ".json";
const notesOf = (id: string) => `${id}${NOTES}`;
const dataOf = (id: string) => `${id}.session`;

function checkName(name: unknown): string {
  if (checkText(name, "name") === "") throw invalid("name is empty");
  return name as string;
}

/** Two tabs may save one name. */
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
