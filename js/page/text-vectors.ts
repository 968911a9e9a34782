// Vectors of texts that were asked for before.

/** The latest so many; a hit makes a text the latest again. */
export class TextVectors {
  readonly #most: number;
  readonly #kept = new Map<string, Float32Array>();

  constructor(most: number) {
    this.#most = most;
  }

  get(text: string): Float32Array | undefined {
    const vector = this.#kept.get(text);
    if (vector !== undefined) this.#add(text, vector);
    return vector;
  }

  /** Keeps a copy. */
  keep(text: string, vector: Float32Array): void {
    this.#add(text, vector.slice());
    // A Map's keys lie in the order in which they were set.
    if (this.#kept.size > this.#most) this.#kept.delete(this.#kept.keys().next().value!);
  }

  #add(text: string, vector: Float32Array): void {
    this.#kept.delete(text);
    this.#kept.set(text, vector);
  }
}
