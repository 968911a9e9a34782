// Many pictures through a model, a few at a time: while it computes, the next ones are read.

import { callback } from "./connection.js";
import { Breath } from "./jobs.js";
import type { Picture } from "./protocol.js";
import type { RemoteModel } from "./remote.js";
import type { Classification } from "./types.js";
import { checkSignal } from "./validate.js";

export interface Batches {
  count: number;
  /** Pictures that go together; fewer where they are large. */
  batch: number;
  topK: number;
  signal: AbortSignal | undefined;
  read(at: number): Promise<Picture>;
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Two batches exist at a time, so this bounds the memory, unless a single picture is larger. */
const MOST_BYTES = 32 << 20;

/**
 * What the model sees in each. Every batch is a call of its own: an abort ends it within one, and other calls to the
 * model get their turn in between.
 */
export async function classifyInBatches(model: RemoteModel, work: Batches): Promise<Classification[][]> {
  const { count, topK, signal, onProgress } = work;
  const results: Classification[][] = [];
  let over = false;
  const gather = (from: number) => gatherBatch(work, from, () => over);
  let next = gather(0);
  try {
    while (results.length < count) {
      const pictures = await next;
      checkSignal(signal, false);
      const transfer = pictures.map(({ data }) => data.buffer);
      const computing = model.call("classify", { pictures, topK }, { signal, transfer });
      next = gather(results.length + pictures.length);
      next.catch(() => {}); // Heard of when its turn comes.
      results.push(...(await computing));
      callback(onProgress, results.length, count);
    }
    return results;
  } finally {
    over = true;
    await next.catch(() => {}); // It still reads what the caller closes next.
  }
}

async function gatherBatch({ count, batch, signal, read }: Batches, from: number, over: () => boolean): Promise<Picture[]> {
  const pictures: Picture[] = [];
  const breath = new Breath(4);
  for (let bytes = 0, at = from; at < count && pictures.length < batch && bytes < MOST_BYTES; at++) {
    // What the model works on meanwhile goes first.
    await breath.take();
    if (over()) break;
    checkSignal(signal, false);
    const picture = await read(at);
    bytes += picture.data.length;
    pictures.push(picture);
  }
  return pictures;
}
