// The caller's view of the downloads that are kept.

import { AzulejoError, invalid } from "../shared/errors.js";
import { openShelf } from "../shared/store/open-shelf.js";
import type { Shelf } from "../shared/store/shelf.js";
import { allKept, removeKept } from "../shared/store/store.js";
import type { CachedFile } from "../shared/types.js";
import { absolute } from "./source.js";

/** What the package keeps, in the browser or under Node in a folder, and a way to be rid of it. */
export const cache = {
  /** Of each file what is whole, else what has come of it. */
  async list(): Promise<CachedFile[]> {
    const found: CachedFile[] = [];
    await withShelf(async (shelf) => {
      for (const { notes } of await allKept(shelf)) {
        const copy = notes?.copy ?? notes?.part;
        const bytes = copy === undefined ? 0 : await sizeOf(shelf, copy.data);
        if (bytes === 0) continue;
        const { url, lastUsed } = notes!;
        found.push({ url, bytes, complete: notes!.copy !== undefined, lastUsed: new Date(lastUsed) });
      }
    });
    return found;
  },

  /** All, or what came from `url`, or what goes by that `cacheKey`. What is being read or written is not deleted. */
  async delete(url?: string): Promise<void> {
    if (url !== undefined && typeof url !== "string") throw invalid(`url should be a string, not ${typeof url}`);
    await withShelf(async (shelf) => {
      const href = url === undefined ? undefined : addressOf(url);
      const inUse: string[] = [];
      for (const kept of await allKept(shelf)) {
        const { key, url: from } = kept.notes ?? {};
        const meant = url === undefined || from === href || key === url || key?.startsWith(`${url}/`);
        if (meant && !(await removeKept(shelf, kept))) inUse.push(from ?? kept.id);
      }
      if (inUse.length > 0) throw invalid(`${inUse.join(", ")}: in use, being downloaded or read`);
    });
  },

  /** Bytes of all that is kept, and how many the browser lets this origin have, if it says so. */
  async size(): Promise<{ used: number; quota?: number }> {
    let used = 0;
    let quota: number | undefined;
    await withShelf(async (shelf) => {
      for (const name of await shelf.names()) used += await sizeOf(shelf, name);
      ({ quota } = await shelf.estimate());
    });
    return { used, ...(quota !== undefined && { quota }) };
  },

  /** Asks the browser to keep it even if room gets short; whether it will. */
  async persist(): Promise<boolean> {
    return (await withShelf((shelf) => shelf.persist())) ?? false;
  },
};

/** Where there is no store, or it fails, nothing is kept. */
async function withShelf<T>(work: (shelf: Shelf) => Promise<T>): Promise<T | undefined> {
  const shelf = await openShelf();
  try {
    return shelf && (await work(shelf));
  } catch (error) {
    if (error instanceof AzulejoError) throw error;
    return undefined;
  }
}

async function sizeOf(shelf: Shelf, name: string): Promise<number> {
  const file = await shelf.open(name);
  await file?.close();
  return file?.size ?? 0;
}

/** A key of the caller's own need not be an address. */
function addressOf(url: string): string {
  try {
    return absolute(url).href;
  } catch {
    return url;
  }
}
