// The threads build: the same exports, and the pool.

export * from "../simd/azulejo.js";
export { default } from "../simd/azulejo.js";

/** Before any load; does not wait for the threads. */
export function startPool(threads: number): void;
/** Blocks for ever inside a thread worker; `index` counts from 1. */
export function threadMain(index: number): void;
/** What the pool has done since it was started: loops shared and run alone, wake-ups, waits, stalls. */
export function poolCounts(): Float64Array;
