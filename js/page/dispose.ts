// What `await using` calls at the end of a block.

/** Where the platform has no such symbol yet: the one that Babel and esbuild compile `await using` to. */
export const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for("Symbol.asyncDispose") as typeof Symbol.asyncDispose);
