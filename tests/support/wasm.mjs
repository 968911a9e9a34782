// Reads and changes .wasm files for tests.

const IMPORTS = 2;
const MEMORIES = 5;

/** Walks over a module's bytes. */
class Reader {
  at = 8;

  constructor(bytes) {
    this.bytes = bytes;
  }

  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }

  /** Goes to the first byte of a section's content, and gives where it ends; undefined where there is none. */
  section(wanted) {
    while (this.at < this.bytes.length) {
      const section = this.bytes[this.at++];
      const end = this.number() + this.at;
      if (section === wanted) return end;
      this.at = end;
    }
    this.at = 8;
    return undefined;
  }

  /** What it begins with, of limits. */
  begins() {
    const has = this.number() & 1;
    const begins = this.number();
    if (has) this.number();
    return begins;
  }

  name() {
    const length = this.number();
    this.at += length;
  }
}

/** The same module, whose own memory may grow to `pages` of 64 KiB only. */
export function memoryEnds(bytes, pages) {
  const reader = new Reader(Buffer.from(bytes));
  const end = reader.section(MEMORIES);
  reader.at += 2; // one memory, with a maximum
  reader.number(); // what it begins with
  for (let left = pages; reader.at < end; left >>= 7) reader.bytes[reader.at] = (left & 127) | (++reader.at < end ? 128 : 0);
  return reader.bytes;
}

/** The pages that a module's memory begins with, be it its own or one that it imports. */
export function memoryBegins(bytes) {
  const reader = new Reader(bytes);
  if (reader.section(MEMORIES) !== undefined) return reader.number() && reader.begins();
  reader.section(IMPORTS);
  for (let left = reader.number(); left > 0; left--) {
    reader.name();
    reader.name();
    const kind = reader.number();
    if (kind === 0) reader.number(); // a function's type
    if (kind === 1) reader.number(), reader.begins(); // a table
    if (kind === 2) return reader.begins();
    if (kind === 3) reader.at += 2; // a global
    if (kind === 4) reader.number(), reader.number(); // a tag
  }
  throw new Error("a module without a memory");
}
