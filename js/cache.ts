// The caller's view of the downloads kept in the browser.

import { AzulejoError } from "./errors.js";
import { folder, keyOf, type Meta } from "./store.js";
import { absolute } from "./source.js";
import type { CachedFile } from "./types.js";

/** What the package keeps in the browser, and a way to be rid of it. */
export const cache = {
  async list(): Promise<CachedFile[]> {
    const inside = await folder();
    const found: CachedFile[] = [];
    if (inside === undefined) return found;
    for await (const [name, handle] of inside.entries()) {
      if (handle.kind !== "file" || !name.endsWith(".json")) continue;
      try {
        const { url, complete } = JSON.parse(await (await (handle as FileSystemFileHandle).getFile()).text()) as Meta;
        const data = await (await inside.getFileHandle(name.slice(0, -".json".length))).getFile();
        if (data.size > 0) found.push({ url, bytes: data.size, complete, lastUsed: new Date(data.lastModified) });
      } catch {
        // Just being written, or half deleted.
      }
    }
    return found;
  },

  async delete(url?: string): Promise<void> {
    const inside = await folder();
    if (inside === undefined) return;
    const names: string[] = [];
    if (url !== undefined) {
      const key = keyOf(absolute(url).href);
      names.push(key, `${key}.json`);
    } else {
      for await (const name of inside.keys()) names.push(name);
    }
    for (const name of names) {
      await inside.removeEntry(name).catch((error: Error) => {
        if (error.name === "NotFoundError") return;
        throw new AzulejoError(
          "invalid-argument",
          `${url ?? name} is in use: it is being downloaded or read`,
          undefined,
          { cause: error },
        );
      });
    }
  },
};
