// Generations in the host: those of one model share its passes, each with its own clock, and an end of its own.

import { AzulejoError } from "../shared/errors.js";
import { Job, type Queue } from "../shared/jobs.js";
import { nextTurn } from "../shared/platform.js";
import { nothingMade } from "../shared/protocol.js";
import type { GeneratedToken, GenerationResult } from "../shared/types.js";
import type { Generation } from "../simd/azulejo.js";
import type { Instance } from "./instance.js";

export type OnTokens = (tokens: GeneratedToken[]) => void;

/** What generations go on with. */
interface Passes {
  pass(): boolean | null;
}

/**
 * Generations of one model, and of its adapters. Each begins when its turn has come; then they go on together, pass by pass. A pass is one turn
 * of the model's queue: whatever else the model is asked for comes in between.
 */
export class Generations {
  readonly #instance: Instance;
  readonly #queue: Queue;
  /** The model, and those that are the same with an adapter: a pass of one is a pass of all. */
  readonly #models: Set<Passes>;
  readonly #members = new Set<Member>();
  /** Passes are nobody's: an abort ends no pass, only the part that somebody has in it. */
  readonly #passing = new Job(0);
  #isPassing = false;

  constructor(instance: Instance, queue: Queue, model: Passes) {
    this.#instance = instance;
    this.#queue = queue;
    this.#models = new Set([model]);
  }

  join(model: Passes): void {
    this.#models.add(model);
  }

  leave(model: Passes): void {
    this.#models.delete(model);
  }

  /** What `begin` begins, to its end. An abort ends it and is no failure: what was made stays. */
  async finish(job: Job, begin: () => Generation, onTokens: OnTokens): Promise<GenerationResult> {
    const start = async () => {
      const clock = new Clock();
      const generation = begin();
      const member = new Member(this.#instance, job, generation, clock, onTokens);
      if (!generation.shares) return member.finishAlone();
      this.#members.add(member);
      return member;
    };
    const begun = await this.#queue.runOr<Member | GenerationResult>(job, start, nothingMade);
    if (!(begun instanceof Member)) return begun;
    void this.#pass();
    return begun.finishTogether(() => this.#members.delete(begun));
  }

  /** Passes, as long as there is anybody. */
  async #pass(): Promise<void> {
    if (this.#isPassing) return;
    this.#isPassing = true;
    try {
      while (this.#members.size > 0) {
        await this.#queue.run(this.#passing, () => this.#onePass());
        for (const member of this.#members) member.hear();
        await nextTurn();
      }
    } catch (error) {
      for (const member of this.#members) member.fail(error);
    } finally {
      this.#isPassing = false;
    }
  }

  async #onePass(): Promise<void> {
    // Who was there may have left while this waited for its turn, and the model with them.
    if (this.#members.size === 0) return;
    // Who leaves in its midst leaves it: the model is free when it has come to its end.
    const [model] = this.#models;
    for (;;) {
      const happened = this.#instance.step(() => model!.pass());
      if (happened === true || (happened === false && this.#members.size === 0)) return;
      if (happened === false) throw new AzulejoError("internal", "there are generations, but none of them goes on");
      await this.#instance.turn(this.#passing.signal);
    }
  }
}

/** One generation under way. */
class Member {
  readonly #instance: Instance;
  readonly #job: Job;
  readonly #generation: Generation;
  readonly #clock: Clock;
  readonly #onTokens: OnTokens;
  readonly #over: Promise<void>;
  #end = () => {};
  fail: (error: unknown) => void = () => {};

  constructor(instance: Instance, job: Job, generation: Generation, clock: Clock, onTokens: OnTokens) {
    this.#instance = instance;
    this.#job = job;
    this.#generation = generation;
    this.#clock = clock;
    this.#onTokens = onTokens;
    this.#over = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.fail = reject;
    });
    this.#over.catch(() => {}); // Also of one that has left before.
  }

  /** By its own steps. */
  async finishAlone(): Promise<GenerationResult> {
    try {
      while (!this.#job.aborted) {
        const heard = this.#next();
        if (heard === "over") break;
        await (heard === "waits" ? this.#instance.turn(this.#job.signal) : nextTurn());
      }
      return this.#result();
    } finally {
      this.#instance.free(this.#generation);
    }
  }

  /** By passes of others' steps and its own, whose end somebody else tells: `hear`. `leave` is called at once at its end. */
  async finishTogether(leave: () => void): Promise<GenerationResult> {
    const { signal } = this.#job;
    const end = () => {
      leave();
      this.#end();
    };
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    try {
      await this.#over;
      return this.#result();
    } finally {
      signal.removeEventListener("abort", end);
      leave();
      this.#instance.free(this.#generation);
    }
  }

  /** What has happened to it since. */
  hear(): void {
    try {
      for (;;) {
        const heard = this.#next();
        if (heard === "waits") return;
        if (heard === "over") return this.#end();
      }
    } catch (error) {
      this.fail(error);
    }
  }

  #next(): "over" | "waits" | "more" {
    const event = this.#instance.step(() => this.#generation.step());
    if (event === undefined) return "over";
    if (event === null) return "waits";
    this.#clock.step(event.tokens.length);
    if (event.tokens.length > 0) this.#onTokens(event.tokens);
    return "more";
  }

  #result(): GenerationResult {
    const { aborted } = this.#job;
    const result = this.#instance.call(() => this.#generation.result(aborted));
    return { ...result, stats: { ...result.stats, ...this.#clock.times(result.stats.generatedTokens) } };
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
