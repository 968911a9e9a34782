// What the end of a wasm instance means for the caller.

import type { ErrorCode } from "./errors.js";

/**
 * An allocation that fails ends as a bare trap: that it was one shows in the words, or in a memory that can hardly grow.
 * `most`: the bytes that it may grow to. The instance is not entered again: its memory is free to be tried.
 */
export function codeOfTrap(words: string, memory: WebAssembly.Memory | undefined, most: number): ErrorCode {
  if (/out of bounds/i.test(words)) return "internal"; // of memory, in other words: a mistake of ours
  if (/out of memory|memory allocation|capacity overflow/i.test(words)) return "out-of-memory";
  return memory !== undefined && isFull(memory, most) ? "out-of-memory" : "internal";
}

/** Some devices end far below the most that a memory may say. */
function isFull(memory: WebAssembly.Memory, most: number): boolean {
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
