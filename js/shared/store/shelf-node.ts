// Kept files in a folder, under Node. Another process may be at it too: everything becomes visible by a rename.

import { globals, nodeModule, type NodeFile } from "../platform.js";
import { nodePieces } from "./pieces.js";
import type { Shelf, ShelfFile, ShelfWriter } from "./shelf.js";

type Fs = Awaited<ReturnType<typeof modules>>["fs"];
type Paths = Awaited<ReturnType<typeof modules>>["paths"];

async function modules() {
  const [fs, paths, os] = await Promise.all([
    nodeModule("node:fs/promises"),
    nodeModule("node:path"),
    nodeModule("node:os"),
  ]);
  return { fs, paths, os };
}

/** AZULEJO_CACHE, or a folder in the place that the platform has for such things. */
export async function cacheFolder(): Promise<string> {
  const { paths, os } = await modules();
  const { env = {}, platform } = globals.process ?? {};
  if (env.AZULEJO_CACHE) return paths.resolve(env.AZULEJO_CACHE);
  const place =
    platform === "win32"
      ? env.LOCALAPPDATA || paths.join(os.homedir(), "AppData", "Local")
      : platform === "darwin"
        ? paths.join(os.homedir(), "Library", "Caches")
        : env.XDG_CACHE_HOME || paths.join(os.homedir(), ".cache");
  return paths.join(place, "azulejo");
}

/** To put a file into the place of another. */
const MOST_TRIES = 3;

const isMissing = (error: unknown) => (error as { code?: string }).code === "ENOENT";

export class NodeShelf implements Shelf {
  readonly #fs: Fs;
  readonly #paths: Paths;
  readonly #folder: string;

  private constructor(fs: Fs, paths: Paths, folder: string) {
    this.#fs = fs;
    this.#paths = paths;
    this.#folder = folder;
  }

  static async open(folder = ""): Promise<NodeShelf> {
    const { fs, paths } = await modules();
    return new NodeShelf(fs, paths, paths.join(await cacheFolder(), folder));
  }

  async names(): Promise<string[]> {
    try {
      return (await this.#fs.readdir(this.#folder)).filter((name) => OURS.test(name));
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async open(name: string): Promise<ShelfFile | undefined> {
    let file: NodeFile;
    try {
      file = await this.#fs.open(this.#path(name), "r");
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    const size = await sizeOf(file);
    return { size, pieces: () => nodePieces(file), close: () => file.close() };
  }

  async append(name: string): Promise<ShelfWriter> {
    await this.#make();
    const file = await this.#fs.open(this.#path(name), "a");
    let size = await sizeOf(file);
    return {
      get size() {
        return size;
      },
      async write(bytes) {
        for (let at = 0; at < bytes.length; ) {
          const { bytesWritten } = await file.write(bytes, at);
          at += bytesWritten;
          size += bytesWritten;
        }
      },
      close: () => file.close(),
    };
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const beside = this.#path(`${name}.${Math.random().toString(36).slice(2)}`);
    try {
      await this.#replace(this.#path(name), beside, bytes);
    } catch (error) {
      leftovers.add(beside);
      throw error;
    } finally {
      for (const path of leftovers) await this.#fs.rm(path, { force: true }).then(() => leftovers.delete(path), () => {});
    }
    // Whoever has ended between the two has left one.
    for (const other of await this.names().catch(() => []))
      if (other.startsWith(`${name}.`)) await this.#fs.rm(this.#path(other), { force: true }).catch(() => {});
  }

  async #replace(path: string, beside: string, bytes: Uint8Array): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#make();
        await this.#fs.writeFile(beside, bytes);
        return await this.#fs.rename(beside, path);
      } catch (error) {
        // Another process has taken it for such a one.
        if (!isMissing(error) || tries === MOST_TRIES) throw error;
      }
    }
  }

  async take(name: string, mine: string): Promise<string | undefined> {
    try {
      await this.#fs.rename(this.#path(name), this.#path(mine));
      return mine;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  remove(name: string): Promise<void> {
    return this.#fs.rm(this.#path(name), { force: true });
  }

  async estimate(): Promise<{ quota?: number; usage?: number }> {
    return {};
  }

  /** Nobody removes it but the user. */
  async persist(): Promise<boolean> {
    return true;
  }

  /** Only once there is something to keep. */
  #make(): Promise<unknown> {
    return this.#fs.mkdir(this.#folder, { recursive: true });
  }

  #path(name: string): string {
    return this.#paths.join(this.#folder, name);
  }
}
/** What could not be given its name: removed when that can be done. */
const leftovers = new Set<string>();

/** Closes it where that cannot be told. */
async function sizeOf(file: NodeFile): Promise<number> {
  try {
    return (await file.stat()).size;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The folder may be one that others use too. */
const OURS = /^[\da-f]{64}\./;
