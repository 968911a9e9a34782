// Many pictures, or many texts, through a model, a few at a time. Every batch is a call of its own: an abort ends it
// within one, and other calls to the model get their turn in between.

import { Breath } from "../shared/jobs.js";
import type { Picture } from "../shared/protocol.js";
import type { BatchOptions } from "../shared/types.js";
import { callback, type CallOptions } from "./connection.js";
import { throwIfAborted } from "./validate.js";

export interface PictureBatches<T> {
  count: number;
  /** Pictures that go together; fewer where they are large. */
  batch: number;
  signal: AbortSignal | undefined;
  read(at: number): Promise<Picture>;
  compute(pictures: Picture[], options: CallOptions): Promise<T>;
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Two batches exist at a time, so this bounds the memory, unless a single picture is larger. */
const MOST_BYTES = 32 << 20;

/** What the model makes of each batch. While it computes, the next pictures are read. */
export async function inPictureBatches<T>(work: PictureBatches<T>): Promise<T[]> {
  const { count, signal, compute, onProgress } = work;
  const results: T[] = [];
  let over = false;
  const gather = (from: number) => gatherPictures(work, from, () => over);
  let next = gather(0);
  try {
    for (let done = 0; done < count;) {
      const pictures = await next;
      throwIfAborted(signal);
      const transfer = pictures.map(({ data }) => data.buffer);
      done += pictures.length;
      const computing = compute(pictures, { signal, transfer });
      next = gather(done);
      next.catch(() => {}); // Heard of when its turn comes.
      results.push(await computing);
      callback(onProgress, done, count);
    }
    return results;
  } finally {
    over = true;
    await next.catch(() => {}); // It still reads what the caller closes next.
  }
}

async function gatherPictures(
  { count, batch, signal, read }: PictureBatches<unknown>,
  from: number,
  over: () => boolean,
): Promise<Picture[]> {
  const pictures: Picture[] = [];
  const breath = new Breath(4);
  for (let bytes = 0, at = from; at < count && pictures.length < batch && bytes < MOST_BYTES; at++) {
    // What the model works on meanwhile goes first.
    await breath.take();
    if (over()) break;
    throwIfAborted(signal);
    const picture = await read(at);
    bytes += picture.data.length;
    pictures.push(picture);
  }
  return pictures;
}

/** Some seconds of a small model's work on a slow device. */
const MOST_TEXTS = 64;
/** About a quarter of it tokens. */
const MOST_CHARACTERS = 32 << 10;

type Text = string | Uint32Array | [string, string];

/** What the model makes of each batch. Padding costs nothing, so the texts go as they come. */
export async function inTextBatches<X extends Text, T>(
  texts: X[],
  { signal, onProgress }: BatchOptions,
  compute: (batch: X[], options: CallOptions) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (let done = 0; done < texts.length;) {
    throwIfAborted(signal);
    const batch = texts.slice(done, done + fitting(texts, done));
    results.push(await compute(batch, { signal }));
    done += batch.length;
    callback(onProgress, done, texts.length);
  }
  return results;
}

/** How many of the texts go into the next batch: one at least. */
function fitting(texts: Text[], from: number): number {
  let count = 0;
  for (let characters = 0; from + count < texts.length && count < MOST_TEXTS; count++) {
    characters += charactersOf(texts[from + count]!);
    if (count > 0 && characters > MOST_CHARACTERS) break;
  }
  return count;
}

function charactersOf(text: Text): number {
  if (typeof text === "string") return text.length;
  return Array.isArray(text) ? text[0].length + text[1].length : 4 * text.length;
}
