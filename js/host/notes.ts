// What the core leaves in its memory to be read without a call, also when the instance has failed (`src/js/notes.rs`).

export interface Notes {
  /** Bytes that are allocated now, and the most that ever were. */
  live: number;
  peak: number;
  /** The size of an allocation that was refused; 0 where none was. */
  refused: number;
  /** What a panic said. */
  panic?: string;
}

/** The places of the numbers, of 32 bits each; behind them lies the text. */
const [LIVE, PEAK, REFUSED, SAID, TEXT] = [0, 4, 8, 12, 16];

export function readNotes(memory: WebAssembly.Memory, at: number): Notes {
  const view = new DataView(memory.buffer, at);
  const [live, peak, refused, said] = [LIVE, PEAK, REFUSED, SAID].map((place) => view.getUint32(place, true)) as [number, number, number, number];
  if (said === 0) return { live, peak, refused };
  // A copy: no text is decoded from shared memory.
  const text = new Uint8Array(memory.buffer, at + TEXT, said).slice();
  return { live, peak, refused, panic: new TextDecoder().decode(text) };
}

/** The core goes on without what it was refused. */
export function forgetRefusal(memory: WebAssembly.Memory, at: number): void {
  new DataView(memory.buffer, at).setUint32(REFUSED, 0, true);
}
