// The threads build: the same exports, and the pool.

export * from "../simd/azulejo.js";
export { default } from "../simd/azulejo.js";

/** Before any load; does not wait for the threads. */
export function startPool(threads: number): void;
/** Blocks for ever inside a thread worker; `index` counts from 1. */
export function threadMain(index: number): void;
