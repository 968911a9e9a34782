// The vectors of a text's passages, made batch by batch, and compared.

import type { TextEmbedder } from "./azulejo/index.js";

/** Passages at a time: few enough that a query does not wait long behind them. */
const BATCH = 8;

export class PassageIndex {
  private vectors = new Map<string, Float32Array>();
  /** Passages that were turned into vectors, and the time that took. */
  made = 0;
  milliseconds = 0;

  constructor(readonly model: TextEmbedder) {}

  /** Gives the next of `texts` that lack one their vectors; false when none did. */
  async step(texts: string[], signal: AbortSignal): Promise<boolean> {
    const batch = [...new Set(texts.filter((text) => !this.vectors.has(text)))].slice(0, BATCH);
    if (batch.length === 0) return false;
    const started = performance.now();
    const { data, dims } = await this.model.embed(batch, { normalize: true, signal });
    this.milliseconds += performance.now() - started;
    this.made += batch.length;
    for (const [row, text] of batch.entries()) this.vectors.set(text, data.slice(row * dims[1]!, (row + 1) * dims[1]!));
    return true;
  }

  /** How many of these have a vector. */
  count(texts: string[]): number {
    return texts.filter((text) => this.vectors.has(text)).length;
  }

  /** Drops the vectors of all others. */
  keep(texts: string[]): void {
    this.vectors = new Map([...new Set(texts)].flatMap((text) => {
      const vector = this.vectors.get(text);
      return vector ? [[text, vector]] : [];
    }));
  }

  /** The cosine of each passage with a vector of length 1; undefined for passages that have no vector yet. */
  compare(texts: string[], vector: Float32Array): (number | undefined)[] {
    return texts.map((text) => {
      const other = this.vectors.get(text);
      return other && dot(other, vector);
    });
  }

  /** The cosines of all passages with each other, row by row; undefined while some have no vector. */
  matrix(texts: string[]): Float32Array | undefined {
    const vectors = texts.map((text) => this.vectors.get(text));
    const cosines = new Float32Array(texts.length ** 2);
    for (const [row, a] of vectors.entries()) {
      for (const [column, b] of vectors.entries()) {
        if (!a || !b) return undefined;
        cosines[row * texts.length + column] = column < row ? cosines[column * texts.length + row]! : dot(a, b);
      }
    }
    return cosines;
  }
}

/** The cosine, for vectors of length 1. */
function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}
