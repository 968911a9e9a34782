// What is kept of downloads: for each key a file of notes, which names the data beside it.
//
// A new version grows in a data file of its own, so that the old one stays good until the new one is whole. Nothing here
// makes a load fail: where the store does, the load goes on without it.

import { takeLock, type Mode, type Release } from "./locks.js";
import { Sha256 } from "./sha256.js";
import { openShelf } from "./open-shelf.js";
import { isFull, readText, type Shelf, type ShelfFile, type ShelfWriter } from "./shelf.js";

const FORMAT = 1;

/** What a server said of a file, to know it again. */
export interface Version {
  /** Only from an answer that cannot be compressed, or whose headers we see all of. */
  size?: number;
  etag?: string;
  modified?: string;
}

export interface Copy extends Version {
  /** The data file's name. */
  data: string;
  /** When the source was last found to have this version: ms since 1970. */
  checked: number;
}

export interface Notes {
  format: typeof FORMAT;
  key: string;
  url: string;
  lastUsed: number;
  /** When the source said that there is no such file. */
  missing?: number;
  /** The whole file; its `size` is known. */
  copy?: Copy;
  /** A download that has not ended. */
  part?: Copy;
  /** The data of a copy that another has taken the place of. */
  stale?: string;
}

export function idOf(key: string): string {
  const hash = new Sha256();
  hash.update(new TextEncoder().encode(key));
  return hash.finish();
}

const notesFile = (id: string) => `${id}.json`;
const lockOf = (id: string) => `azulejo file ${id}`;
const newData = (id: string) => `${id}.${Math.random().toString(36).slice(2)}`;

/** `undefined` where it fails; an abort still ends it. */
async function quietly<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
  try {
    return await work();
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

export async function readNotes(shelf: Shelf, id: string): Promise<Notes | undefined> {
  const text = await readText(shelf, notesFile(id));
  return text === undefined ? undefined : parseNotes(text);
}

/** Whatever else is in the file counts as nothing. */
function parseNotes(text: string): Notes | undefined {
  let notes: Partial<Notes> | null;
  try {
    notes = JSON.parse(text) as Partial<Notes> | null;
  } catch {
    return undefined;
  }
  if (typeof notes !== "object" || notes?.format !== FORMAT) return undefined;
  if (typeof notes.url !== "string" || typeof notes.key !== "string" || typeof notes.lastUsed !== "number") return undefined;
  const { copy, part } = notes;
  const isCopy = (each: Copy | undefined) => each === undefined || typeof each?.data === "string";
  if (!isCopy(copy) || !isCopy(part) || (copy !== undefined && typeof copy.size !== "number")) return undefined;
  return notes as Notes;
}

/** What is kept under one key, while it is read or written. */
export class Entry {
  notes: Notes;
  readonly #shelf: Shelf;
  readonly #id: string;
  readonly #waiting: () => void;
  #release: Release | undefined;
  #mode: Mode = "shared";

  private constructor(shelf: Shelf, id: string, notes: Notes, waiting: () => void) {
    this.#shelf = shelf;
    this.#id = id;
    this.notes = notes;
    this.#waiting = waiting;
  }

  /** Waits while another load writes it, and says so, unless `ifFree`. `undefined` where nothing can be kept. */
  static async open(
    key: string,
    url: string,
    how: { signal: AbortSignal; ifFree: boolean; waiting(): void },
  ): Promise<Entry | undefined> {
    return quietly(async () => {
      const shelf = await openShelf();
      if (shelf === undefined) return undefined;
      const id = idOf(key);
      const nothing: Notes = { format: FORMAT, key, url, lastUsed: Date.now() };
      const entry = new Entry(shelf, id, nothing, how.waiting);
      if (how.ifFree) entry.#release = await takeLock(lockOf(id), { mode: "shared", ifFree: true });
      else await entry.#hold("shared", how.signal);
      if (entry.#release === undefined) return undefined;
      await entry.#read();
      return entry;
    }, how.signal);
  }

  /** Holds it alone from now on, unless that fails; what it says may have changed meanwhile. */
  async alone(signal: AbortSignal): Promise<boolean> {
    if (this.#mode === "exclusive") return true;
    return (await quietly(async () => {
      await this.#hold("exclusive", signal);
      await this.#read();
      return true;
    }, signal)) ?? false;
  }

  /** Lets others read it too. */
  async share(signal: AbortSignal): Promise<void> {
    if (this.#mode === "exclusive") await quietly(() => this.#hold("shared", signal), signal);
  }

  async close(): Promise<void> {
    const release = this.#release;
    this.#release = undefined;
    await release?.();
  }

  /** The whole file, if it is here with all its bytes. */
  async file(): Promise<ShelfFile | undefined> {
    const { copy } = this.notes;
    if (copy === undefined) return undefined;
    const file = await quietly(() => this.#shelf.open(copy.data));
    if (file?.size === copy.size) return file;
    await file?.close().catch(() => {});
    return undefined;
  }

  /** What is here of a download that broke off. */
  async begun(): Promise<{ part: Copy; file: ShelfFile } | undefined> {
    return quietly(async () => {
      const { part } = this.notes;
      if (part === undefined) return undefined;
      const data = await this.#shelf.take(part.data, newData(this.#id));
      if (data === undefined) return undefined;
      this.notes.part = { ...part, data };
      const file = await this.#shelf.open(data);
      return file === undefined ? undefined : { part: this.notes.part, file };
    });
  }

  /** It has been of use, and if `checked` its source still has it. */
  async used(checked: boolean): Promise<void> {
    const now = Date.now();
    this.notes.lastUsed = now;
    if (checked && this.notes.copy !== undefined) this.notes.copy.checked = now;
    const { stale, ...notes } = this.notes;
    await quietly(async () => {
      if (stale !== undefined) await this.#shelf.remove(stale);
      this.notes = notes;
      await this.save();
    });
  }

  /** There is no such file. What is kept of it stays. */
  async missing(): Promise<void> {
    this.notes.missing = Date.now();
    await quietly(() => this.save());
  }

  /** The bytes that come next are written down, behind those of `begun` or from the front. */
  async keep(version: Version, behind: boolean): Promise<Keeping | undefined> {
    return quietly(async () => {
      const { url, key, copy, part } = this.notes;
      const named = [notesFile(this.#id), copy?.data, behind ? part?.data : undefined];
      await quietly(() => this.#sweep(named));
      if (version.size !== undefined) await makeRoom(this.#shelf, this.#id, version.size);
      const data = behind ? part!.data : newData(this.#id);
      const now = Date.now();
      this.notes = { format: FORMAT, key, url, lastUsed: now, copy, part: { ...version, data, checked: now } };
      try {
        await this.save();
        return new Keeping(this.#shelf, this.#id, this, await this.#shelf.append(data));
      } catch (error) {
        await this.forget("part");
        throw error;
      }
    });
  }

  /** What is kept goes, if it is what was read here: another process may have written something else. */
  async forget(what: "copy" | "part" | "all"): Promise<void> {
    const data = [what !== "part" && this.notes.copy?.data, what !== "copy" && this.notes.part?.data];
    if (data[0]) delete this.notes.copy;
    if (data[1]) delete this.notes.part;
    await quietly(async () => {
      const notes = await readNotes(this.#shelf, this.#id);
      if (notes === undefined) return;
      const left = (copy: Copy | undefined) => (data.includes(copy?.data ?? false) ? undefined : copy);
      const { copy, part, missing } = { ...notes, copy: left(notes.copy), part: left(notes.part) };
      if (copy === undefined && part === undefined && missing === undefined) await this.#shelf.remove(notesFile(this.#id));
      else await this.#write({ ...notes, copy, part });
    });
    for (const name of data) if (name) await quietly(() => this.#shelf.remove(name));
  }

  /** What no notes name any more goes, but for `named`. */
  async #sweep(named: (string | undefined)[]): Promise<void> {
    for (const name of await this.#shelf.names())
      if (name.startsWith(this.#id) && !named.includes(name)) await this.#shelf.remove(name);
  }

  save(): Promise<void> {
    return this.#write(this.notes);
  }

  #write(notes: Notes): Promise<void> {
    return this.#shelf.put(notesFile(this.#id), new TextEncoder().encode(JSON.stringify(notes)));
  }

  async #hold(mode: Mode, signal: AbortSignal): Promise<void> {
    await this.close();
    const name = lockOf(this.#id);
    this.#release = await takeLock(name, { mode, ifFree: true });
    if (this.#release === undefined) {
      this.#waiting();
      this.#release = await takeLock(name, { mode, signal });
    }
    this.#mode = mode;
  }

  async #read(): Promise<void> {
    const notes = await quietly(() => readNotes(this.#shelf, this.#id));
    const { key, url } = this.notes;
    // The address of what goes by a key of its own may have changed.
    if (notes !== undefined) this.notes = { ...notes, key, url: url || notes.url };
    const { part } = this.notes;
    if (part?.size === undefined) return;
    const file = await quietly(() => this.#shelf.open(part.data));
    await quietly(async () => file?.close());
    // It broke off behind its last byte.
    if (file?.size !== part.size) return;
    this.notes = { ...this.notes, copy: part, part: undefined, stale: this.notes.copy?.data };
  }
}

/** Forgets what was found wrong, if it is still the same. */
export const forgetCopy = (key: string, data: string) =>
  alter(key, async (entry) => {
    if (entry.notes.copy?.data === data) await entry.forget("copy");
    if (entry.notes.part?.data === data) await entry.forget("part");
  });

/** Forgets that it was missing. */
export const forgetMissing = (key: string) =>
  alter(key, async (entry) => {
    delete entry.notes.missing;
    await entry.save();
  });

async function alter(key: string, change: (entry: Entry) => Promise<void>): Promise<void> {
  const { signal } = new AbortController();
  await quietly(async () => {
    const entry = await Entry.open(key, "", { signal, ifFree: false, waiting() {} });
    if (entry === undefined) return;
    try {
      if (await entry.alone(signal)) await change(entry);
    } finally {
      await entry.close();
    }
  });
}

/** A download that is being written down. */
export class Keeping {
  readonly #shelf: Shelf;
  readonly #id: string;
  readonly #entry: Entry;
  #writer: ShelfWriter | undefined;

  constructor(shelf: Shelf, id: string, entry: Entry, writer: ShelfWriter) {
    this.#shelf = shelf;
    this.#id = id;
    this.#entry = entry;
    this.#writer = writer;
  }

  /** Where there is no room, and none can be made, nothing is kept of this file. */
  async append(bytes: Uint8Array): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined) return;
    const end = writer.size + bytes.length;
    while (writer.size < end) {
      try {
        await writer.write(bytes.subarray(bytes.length - (end - writer.size)));
      } catch (error) {
        const more = isFull(error) && (await quietly(() => freeOldest(this.#shelf, this.#id)));
        if (!more) return this.abandon();
      }
    }
  }

  /** All of it is there. */
  async finish(): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined) return;
    const before = this.#entry.notes;
    const { part, copy: old } = before;
    try {
      await this.close();
      const file = await this.#shelf.open(part!.data);
      await file?.close();
      if (file?.size !== writer.size) throw new Error("the data is gone");
      const copy = { ...part!, size: writer.size };
      this.#entry.notes = { ...before, missing: undefined, part: undefined, copy, stale: old?.data };
      await this.#entry.save();
    } catch {
      this.#entry.notes = before;
      return this.abandon();
    }
    if (old !== undefined) await quietly(() => this.#shelf.remove(old.data));
  }

  async abandon(): Promise<void> {
    await quietly(() => this.close());
    await this.#entry.forget("part");
  }

  /** What is there stays, to be gone on with. */
  async close(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.close();
  }
}

// ---------------------------------------------------------------- room

interface Kept {
  id: string;
  notes: Notes | undefined;
  names: string[];
}

/** All that lies on the shelf, by whose it is. */
export async function allKept(shelf: Shelf): Promise<Kept[]> {
  const names = new Map<string, string[]>();
  for (const name of await shelf.names()) {
    const id = name.split(".")[0]!;
    names.set(id, [...(names.get(id) ?? []), name]);
  }
  const kept: Kept[] = [];
  for (const [id, files] of names)
    kept.push({ id, names: files, notes: await quietly(() => readNotes(shelf, id)) });
  return kept;
}

/** Removes all of it, unless somebody reads or writes it; whether nobody did. */
export async function removeKept(shelf: Shelf, { id, names }: Kept): Promise<boolean> {
  const release = await takeLock(lockOf(id), { mode: "exclusive", ifFree: true });
  if (release === undefined) return false;
  try {
    for (const name of names) await shelf.remove(name);
    return true;
  } finally {
    await release();
  }
}

async function makeRoom(shelf: Shelf, id: string, bytes: number): Promise<void> {
  for (;;) {
    const { quota, usage } = await shelf.estimate();
    if (quota === undefined || usage === undefined || quota - usage >= bytes || bytes > quota) return;
    if (!(await freeOldest(shelf, id))) return;
  }
}

/** Makes some room: first goes what nobody knows of, then what was used longest ago. Whether something did. */
async function freeOldest(shelf: Shelf, but: string): Promise<boolean> {
  // Whole ones before those that somebody may still be waiting for.
  const rank = ({ notes }: Kept) => (notes === undefined ? 0 : notes.copy !== undefined ? 1 : 2);
  const hasData = ({ names }: Kept) => names.some((name) => !name.endsWith(".json"));
  const others = (await allKept(shelf)).filter((kept) => kept.id !== but && hasData(kept));
  const lastUsed = ({ notes }: Kept) => notes?.lastUsed ?? 0;
  others.sort((a, b) => rank(a) - rank(b) || lastUsed(a) - lastUsed(b));
  for (const kept of others) if (await quietly(() => removeKept(shelf, kept))) return true;
  return false;
}
