// A generation on its way: a promise of the whole, and its tokens as they come.

import type { AzulejoError } from "../shared/errors.js";
import { nothingMade } from "../shared/protocol.js";
import { runUntil } from "../shared/streams.js";
import type { GeneratedToken, Generation, GenerationResult } from "../shared/types.js";

export type GenerationWork = (
  signal: AbortSignal,
  onTokens: (tokens: GeneratedToken[]) => void,
) => Promise<GenerationResult>;

/** `work` begins at once; it hears of the caller's signal, and of a reader who leaves. */
export function startGeneration(work: GenerationWork, signal: AbortSignal | undefined): Generation {
  const run = runUntil(signal);
  const stream = new TokenStream();
  const result = work(run.signal, (tokens) => stream.add(tokens))
    .catch((error: AzulejoError) => {
      // Called off before it began: no failure of a generation's.
      if (error.code === "aborted" && run.signal.aborted) return nothingMade();
      throw error;
    })
    .finally(() => {
      run.end();
      stream.end();
    });
  // A caller who only iterates meets the failure there.
  result.catch(() => {});
  const read = () => readerOf(stream, result, run.end);
  return Object.assign(result, {
    [Symbol.asyncIterator]: read,
    stream: () => textOf(read()),
    text: async () => (await result).text,
  });
}

/** All tokens so far, so that each reader may begin when it likes. */
class TokenStream {
  readonly tokens: GeneratedToken[] = [];
  ended = false;
  #wake = () => {};
  #changed = this.#next();

  add(tokens: GeneratedToken[]): void {
    this.tokens.push(...tokens);
    this.#tell();
  }

  end(): void {
    this.ended = true;
    this.#tell();
  }

  /** Resolves at the next `add` or `end`. */
  change(): Promise<void> {
    return this.#changed;
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #tell(): void {
    const wake = this.#wake;
    this.#changed = this.#next();
    wake();
  }
}

/** The tokens' texts as they come; who cancels it ends the generation. */
function textOf(tokens: AsyncIterator<GeneratedToken>): ReadableStream<string> {
  return new ReadableStream<string>({
    async pull(controller) {
      for (;;) {
        const { done, value } = await tokens.next();
        if (done) return controller.close();
        // A token may be a part of a character, or held back for a stop string.
        if (value.text !== "" && (value.kind ?? "text") === "text") return controller.enqueue(value.text);
      }
    },
    cancel: async () => void (await tokens.return!()),
  });
}

/** By hand, since an async generator's `return` waits for the token it is waiting for. */
function readerOf(
  stream: TokenStream,
  result: Promise<GenerationResult>,
  cancel: () => void,
): AsyncIterator<GeneratedToken> {
  let at = 0;
  let left = false;
  return {
    async next() {
      while (!left && at >= stream.tokens.length && !stream.ended) await stream.change();
      if (!left && at < stream.tokens.length) return { done: false, value: stream.tokens[at++]! };
      if (!left) await result;
      left = true;
      return { done: true, value: undefined };
    },
    async return() {
      left = true;
      cancel();
      return { done: true, value: undefined };
    },
  };
}
