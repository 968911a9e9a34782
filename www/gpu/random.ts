// Numbers that look random and are the same at every run: what is measured on one machine can be measured again on another.

/** Marsaglia's xorshift of 32 bits: quick enough for a hundred megabytes. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed + 1, 0x9e3779b9) | 1;
  }

  /** 32 bits, without a sign. */
  next(): number {
    let state = this.state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.state = state;
    return state >>> 0;
  }

  /** From -1 to 1. */
  float(): number {
    return this.next() / 2 ** 31 - 1;
  }

  /** Around `mean`, with this standard deviation, all equally likely. */
  around(mean: number, spread: number): number {
    return mean + this.float() * spread * Math.sqrt(3);
  }

  /** One of the first `count` whole numbers. */
  below(count: number): number {
    return this.next() % count;
  }

  /** Random bytes; `bytes` begins at a multiple of 4 of its buffer. */
  fill(bytes: Uint8Array): void {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    for (let at = 0; at < words.length; at++) words[at] = this.next();
    for (let at = words.length * 4; at < bytes.length; at++) bytes[at] = this.next();
  }
}

/** `count` token ids. */
export function tokens(count: number, vocabulary: number, seed: number): number[] {
  const random = new Random(seed);
  // The first few are often control tokens.
  return Array.from({ length: count }, () => 4 + random.below(vocabulary - 4));
}
