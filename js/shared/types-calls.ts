// What calls of every kind have in common. Nothing here runs.

/** Of calls that take nothing else. An abort rejects with code "aborted", whose `cause` is the signal's reason. */
export interface SignalOptions {
  /** Ends the call. */
  signal?: AbortSignal | undefined;
}

/** Of calls that go through a list in batches, so that others get their turn. */
export interface BatchOptions {
  /** After each batch: how many texts or images are done, and of how many. */
  onProgress?: ((done: number, total: number) => void) | undefined;
  /** An abort ends it within a batch. */
  signal?: AbortSignal | undefined;
}

/** Numbers with a shape. */
export interface TensorF32 {
  /** All values, row by row: the last dimension is the fastest. As many as the product of `dims`. */
  data: Float32Array;
  /** How many values there are along each dimension: [2, 384] for two vectors of 384. */
  dims: number[];
}
