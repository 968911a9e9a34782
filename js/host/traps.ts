// What the end of a wasm instance means for the caller.

import type { ErrorCode } from "../shared/errors.js";
import { readNotes } from "./notes.js";

/** A dead instance's memory, which may still be read, and tried. */
export interface Wreck {
  memory: WebAssembly.Memory;
  /** The bytes that it may grow to. */
  most: number;
  /** Where the core has left its notes; one that has not started has left none. */
  notesAt?: number;
}

/** A failed allocation ends as a bare "unreachable": the core's own notes tell, the words, or a memory that cannot grow. */
export function readTrap(thrown: string, wreck: Wreck): { code: ErrorCode; message: string } {
  const { memory, notesAt } = wreck;
  const { refused, panic } = notesAt === undefined ? { refused: 0, panic: undefined } : readNotes(memory, notesAt);
  const words = panic === undefined ? thrown : `${thrown}: ${panic}`;
  const wanting = (what: string) => ({ code: "out-of-memory" as const, message: `${words}: ${what}` });
  if (refused > 0) return wanting(`no memory for ${refused} bytes`);
  // Rust's word for more than half of all that wasm can address.
  if (/capacity overflow/.test(words)) return wanting("no memory for 2 GiB or more in one piece");
  // Of memory, in other words: a mistake of ours.
  if (/out of bounds/i.test(words)) return { code: "internal", message: words };
  const isWanting = /out of memory|memory allocation|allocation failed/i.test(words) || isFull(wreck);
  return isWanting ? wanting(`its memory has ${memory.buffer.byteLength} bytes and cannot grow`) : { code: "internal", message: words };
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
