// What the end of a wasm instance means for the caller.

import type { ErrorCode } from "./errors.js";

/**
 * An allocation that fails ends as a bare trap: that it was one shows in the words, or in a memory that can hardly grow.
 * `most`: the bytes that it may grow to.
 */
export function codeOfTrap(words: string, memory: WebAssembly.Memory | undefined, most: number): ErrorCode {
  if (/out of bounds/i.test(words)) return "internal"; // of memory, in other words: a mistake of ours
  const full = memory !== undefined && memory.buffer.byteLength > most * 0.9;
  return full || /out of memory|memory allocation|capacity overflow/i.test(words) ? "out-of-memory" : "internal";
}
