// The shelf that there is here.

import { isNode } from "../platform.js";
import type { Shelf } from "./shelf.js";
import { NodeShelf } from "./shelf-node.js";
import { OpfsShelf } from "./shelf-opfs.js";

/** `folder`: within the package's own. `undefined` where nothing can be kept: private windows, pages without a secure origin. */
export async function openShelf(folder?: string): Promise<Shelf | undefined> {
  try {
    if (globalThis.navigator?.storage?.getDirectory !== undefined) return await OpfsShelf.open(folder);
    return isNode() ? await NodeShelf.open(folder) : undefined;
  } catch {
    return undefined;
  }
}
