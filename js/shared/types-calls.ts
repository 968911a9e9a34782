// What calls of every kind have in common. Nothing here runs.

/** Of calls that take nothing else. An abort rejects with code "aborted", whose `cause` is the signal's reason. */
export interface SignalOptions {
  signal?: AbortSignal | undefined;
}

export interface BatchOptions {
  /** After each batch. */
  onProgress?: ((done: number, total: number) => void) | undefined;
  /** An abort ends it within a batch. */
  signal?: AbortSignal | undefined;
}

export interface TensorF32 {
  data: Float32Array;
  dims: number[];
}
