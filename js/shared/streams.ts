// Streams of what comes piece by piece, and their ends.

/** What `end` or `signal` ends, with its reason: an abort reaches what is waited for, where leaving a loop would wait with it. */
export interface Run {
  signal: AbortSignal;
  end(): void;
}

/** A signal that is none is refused where options are read. */
export function runUntil(signal: AbortSignal | undefined): Run {
  const own = new AbortController();
  const abort = () => own.abort(signal!.reason);
  if (signal?.aborted) abort();
  else signal?.addEventListener?.("abort", abort, { once: true });
  const end = () => {
    signal?.removeEventListener?.("abort", abort);
    own.abort();
  };
  return { signal: own.signal, end };
}

/** The pieces as they are read. Who cancels it ends `run`, which they are of. */
export function streamOf<T>(pieces: AsyncGenerator<T>, run: Run): ReadableStream<T> {
  return new ReadableStream<T>({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: () => leave(pieces, run),
  });
}

/** The same, but begun at once and made whether read or not: for what others wait for. */
export function pushedStreamOf<T>(pieces: AsyncGenerator<T>, run: Run): ReadableStream<T> {
  return new ReadableStream<T>({
    async start(controller) {
      for await (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
    cancel: () => leave(pieces, run),
  });
}

/** Ends what makes the pieces, then them. */
export async function leave(pieces: AsyncGenerator<unknown>, run: Run): Promise<void> {
  run.end();
  await pieces.return(undefined).catch(() => {});
}
