// A file that is being read, wherever it lies.

export interface OpenFile {
  name: string;
  /** Only where it can be trusted: the core compares the header with it. */
  size?: number;
  /** What somebody says of its size, who may be wrong. */
  sizeHint?: number;
  stage: "download" | "read";
  /** What the caller should know of it. */
  note?: string;
  /** Each piece is good until the next is asked for. */
  pieces: AsyncIterable<Uint8Array>;
  /** Nobody said how long it is, and its reader found it whole: now it may be kept. Before `close`. */
  confirm?(): Promise<void>;
  /** It has the SHA-256 that the caller expects. Before `close`. */
  verified?(): Promise<void>;
  /** It turned out wrong: forget what is kept of it. Before `close`. */
  discard?(): Promise<void>;
  /** Whoever opened it calls this when done, read or not. */
  close?(): Promise<void>;
}
