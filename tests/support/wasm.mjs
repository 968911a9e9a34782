// Changes .wasm files for tests.

/** The same module, whose own memory may grow to `pages` of 64 KiB only. */
export function memoryEnds(bytes, pages) {
  const changed = Buffer.from(bytes);
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = changed[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  for (;;) {
    const section = changed[at++];
    const end = number() + at;
    if (section !== 5) {
      at = end;
      continue;
    }
    at += 2; // one memory, with a maximum
    number(); // what it begins with
    for (let left = pages; at < end; left >>= 7) changed[at] = (left & 127) | (++at < end ? 128 : 0);
    return changed;
  }
}
