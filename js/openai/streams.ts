// Several generations at once, and what every answer has.

import type { Run } from "../shared/streams.js";
import type { GeneratedToken, Generation } from "../shared/types.js";

export const now = (): number => Math.floor(Date.now() / 1000);

export const newId = (kind: string): string => `${kind}-${crypto.randomUUID().replaceAll("-", "")}`;

/** The same pieces; `run` ends with them. */
export async function* ending<T>(pieces: AsyncGenerator<T>, run: Run): AsyncGenerator<T> {
  try {
    yield* pieces;
  } finally {
    run.end();
  }
}

/** The tokens of all, as they come. */
export async function* interleaved(generations: Generation[]): AsyncGenerator<{ index: number; token: GeneratedToken }> {
  const readers = generations.map((generation) => generation[Symbol.asyncIterator]());
  const next = (index: number) => {
    const step = readers[index]!.next().then((step) => ({ index, step }));
    step.catch(() => {}); // it may fail while whoever reads this does something else, and is told when they come back
    return step;
  };
  const waiting = new Map(readers.map((_, index) => [index, next(index)]));
  while (waiting.size > 0) {
    const { index, step } = await Promise.race(waiting.values());
    if (step.done) waiting.delete(index);
    else {
      waiting.set(index, next(index));
      yield { index, token: step.value };
    }
  }
}
