// A generation in the host: the loop that steps it, and its clock.

import type { AzulejoError } from "../shared/errors.js";
import type { Job, Queue } from "../shared/jobs.js";
import { nextTurn } from "../shared/platform.js";
import { nothingMade } from "../shared/protocol.js";
import type { GeneratedToken, GenerationResult } from "../shared/types.js";
import type { GenerationRun } from "../simd/azulejo.js";
import type { Instance } from "./instance.js";

export type OnTokens = (tokens: GeneratedToken[]) => void;

/** Steps what `begin` begins to its end, when its turn has come. An abort ends it and is no failure: what was made stays. */
export async function finishGeneration(
  { instance, queue }: { instance: Instance; queue: Queue },
  job: Job,
  begin: () => GenerationRun,
  onTokens: OnTokens,
): Promise<GenerationResult> {
  try {
    return await queue.run(job, async () => {
      const clock = new Clock();
      return steps(instance, job, begin(), clock, onTokens);
    });
  } catch (error) {
    // Ended before its turn came.
    if ((error as AzulejoError).code !== "aborted") throw error;
    return nothingMade();
  }
}

async function steps(
  instance: Instance,
  job: Job,
  run: GenerationRun,
  clock: Clock,
  onTokens: OnTokens,
): Promise<GenerationResult> {
  try {
    while (!job.aborted) {
      const event = instance.step(() => run.step());
      if (event === undefined) break;
      if (event === null) {
        await instance.turn(job.signal);
        continue;
      }
      clock.step(event.tokens.length);
      if (event.tokens.length > 0) onTokens(event.tokens);
      await nextTurn();
    }
    const result = instance.call(() => run.result(job.aborted));
    return { ...result, stats: { ...result.stats, ...clock.times(result.stats.generatedTokens) } };
  } finally {
    instance.free(run);
  }
}

/** When a generation began, and when its tokens came. */
class Clock {
  readonly #start = performance.now();
  #first: number | undefined;
  #atFirst = 0;
  #last = this.#start;

  step(tokens: number): void {
    this.#last = performance.now();
    if (tokens === 0 || this.#first !== undefined) return;
    this.#first = this.#last;
    this.#atFirst = tokens;
  }

  /** The first token comes out of the prompt's last chunk: decoding is what follows it. */
  times(generated: number): { prefillMs: number; decodeMs: number; firstTokenMs: number; tokensPerSecond: number } {
    const first = this.#first ?? this.#last;
    const [prefillMs, decodeMs] = [first - this.#start, this.#last - first];
    // Where all came at once, as those of several beams do, their rate is that of the whole.
    const allAtOnce = generated === this.#atFirst;
    const [made, ms] = allAtOnce ? [generated, prefillMs + decodeMs] : [generated - this.#atFirst, decodeMs];
    const tokensPerSecond = generated > 1 && ms > 0 ? (made / ms) * 1000 : 0;
    return { prefillMs, decodeMs, firstTokenMs: prefillMs, tokensPerSecond };
  }
}
