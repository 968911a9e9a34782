// What the end of a wasm instance means for the caller.

import type { ErrorCode } from "./errors.js";

/** A dead instance's memory, which may still be read, and tried. */
export interface Wreck {
  memory: WebAssembly.Memory;
  /** The bytes that it may grow to. */
  most: number;
  /** Where the core has left the size of an allocation that was refused. */
  refusedAt: number;
}

/** A failed allocation ends as a bare "unreachable": the core's own note tells, the words, or a memory that cannot grow. */
export function readTrap(words: string, wreck: Wreck): { code: ErrorCode; message: string } {
  const refused = new DataView(wreck.memory.buffer).getUint32(wreck.refusedAt, true);
  if (refused > 0) return { code: "out-of-memory", message: `${words}: no memory for ${refused} bytes` };
  // Of memory, in other words: a mistake of ours.
  if (/out of bounds/i.test(words)) return { code: "internal", message: words };
  const isWanting = /out of memory|memory allocation|capacity overflow/i.test(words) || isFull(wreck);
  return { code: isWanting ? "out-of-memory" : "internal", message: words };
}

/** Some devices end far below the most that a memory may say. */
function isFull({ memory, most }: Wreck): boolean {
  if (memory.buffer.byteLength > most * 0.9) return true;
  try {
    memory.grow(SOME_PAGES);
    return false;
  } catch {
    return true;
  }
}
/** 16 MiB. */
const SOME_PAGES = 256;
