// How fast: a model of SmolLM2-135M's shape with random weights in Q4_1, as the chat's is. Where the time is short fewer
// tokens are measured, and the result says how many.

import { CausalLM, type Engine, type GenerateOptions } from "../azulejo/index.js";
import type { Ceilings } from "./ceilings.js";
import type { Clock } from "./clock.js";
import { onGpu, withEngines } from "./engines.js";
import { llamaFile, SMOLLM2 } from "./gguf.js";
import { tokens } from "./random.js";
import { aStep, less, spentOn, type KernelRuns, type Profile } from "./steps.js";

export interface Rate {
  /** "prefill 128", "decode", "decode, drawn". */
  name: string;
  tokens: number;
  ms: number;
  perSecond: number;
}

/** A kernel's part of a step. `share`: of its time, what it would take at the device's own ceilings. */
export interface KernelShare extends KernelRuns {
  kernel: string;
  share?: number;
}

export interface Step {
  /** "prefill 128", "decode". */
  name: string;
  dispatches: number;
  /** The least that one step reads and writes, over all kernels. */
  bytes: number;
  kernels: KernelShare[];
}

export interface Speed {
  rates: Rate[];
  steps: Step[];
}

const DECODED = 64;
/** Before the clock starts, so that kernels are compiled and the GPU is awake; and tells how long the rest will take. */
const FIRST = 16;
const DRAWN: GenerateOptions = { temperature: 0.8, topK: 40, topP: 0.95, seed: 1 };

/** Tells what happens in words, and of each rate and step as it is measured. */
export interface SpeedTold {
  doing(words: string): void;
  rate(rate: Rate): void;
  step(step: Step): void;
}

export async function measureSpeed(clock: Clock, ceilings: Partial<Ceilings>, told: SpeedTold): Promise<void> {
  told.doing("making a model of 98 MB");
  await new Promise((painted) => setTimeout(painted));
  const file = new Blob([llamaFile(SMOLLM2, "Q4_1", "Q8_0", 4)]);
  await withEngines([onGpu()], async (engine) => {
    const model = await load(file, engine!, clock, told);
    await measureRates(model, clock.part(0.65), told);
  });
  clock.check();
  if (clock.isOver) return;
  await withEngines([onGpu({ profile: true })], async (engine) => {
    const model = await load(file, engine!, clock, told);
    await profileSteps(model, engine!, clock, ceilings, told);
  });
}

async function load(file: Blob, engine: Engine, { signal }: Clock, told: SpeedTold): Promise<CausalLM> {
  told.doing("moving it to the graphics processor");
  return CausalLM.load(file, { engine, signal, cache: false, contextLength: 1024, kvCacheType: "f16" });
}

async function measureRates(model: CausalLM, clock: Clock, told: SpeedTold): Promise<void> {
  await prefill(model, FIRST, clock.signal);
  const first = await prefill(model, FIRST, clock.signal);
  for (const [length, share] of [[128, 0.35], [512, 0.5]] as const) {
    // Longer prompts cost less a token: by this pace they end in time, and mostly well before.
    const fits = Math.floor((clock.left * share * FIRST) / first);
    const count = fits >= length ? length : length === 128 ? Math.max(FIRST, fits) : 0;
    clock.check();
    if (count === 0) continue;
    told.doing(`reading a prompt of ${count} tokens`);
    told.rate(rated(`prefill ${count}`, count, count === FIRST ? first : await bestPrefill(model, count, clock)));
  }
  for (const [name, options, share] of [["decode", {}, 0.5], ["decode, drawn", DRAWN, 0.9]] as const) {
    clock.check();
    told.doing(name === "decode" ? "writing" : "writing, each token drawn");
    const { count, ms } = await decode(model, options, clock.part(share));
    if (count > 0) told.rate(rated(name, count, ms));
  }
}

const rated = (name: string, tokens: number, ms: number): Rate => ({ name, tokens, ms, perSecond: (tokens * 1000) / ms });

async function prefill(model: CausalLM, length: number, signal: AbortSignal): Promise<number> {
  const start = performance.now();
  await model.generate(tokens(length, SMOLLM2.vocabulary, length), { maxTokens: 1, ignoreEnd: true, signal });
  return performance.now() - start;
}

/** Of up to three, where the time allows. */
async function bestPrefill(model: CausalLM, length: number, clock: Clock): Promise<number> {
  let best = await prefill(model, length, clock.signal);
  for (let more = 0; more < 2 && best < clock.left * 0.1; more++) best = Math.min(best, await prefill(model, length, clock.signal));
  return best;
}

/** Tokens after the first, which comes out of the prompt's own pass; as many as the time allows. */
async function decode(model: CausalLM, options: GenerateOptions, clock: Clock): Promise<{ count: number; ms: number }> {
  const prompt = tokens(FIRST, SMOLLM2.vocabulary, 6);
  let start: number | undefined;
  let count = -1, ms = 0;
  for await (const _ of model.generate(prompt, { ...options, maxTokens: DECODED + 1, ignoreEnd: true, signal: clock.signal })) {
    const now = performance.now();
    start ??= now;
    ms = now - start;
    count += 1;
    if (clock.isOver && count > 0) break;
  }
  return { count: Math.max(count, 0), ms };
}

async function profileSteps(model: CausalLM, engine: Engine, clock: Clock, ceilings: Partial<Ceilings>, told: SpeedTold): Promise<void> {
  const { signal } = clock;
  told.doing("timing each kernel");
  const start = performance.now();
  await prefill(model, 4, signal);
  const short = () => prefill(model, 4, signal);
  const once = await spentOn(engine, short);
  const pace = performance.now() - start;
  const prompt = tokens(4, SMOLLM2.vocabulary, 4);
  const more = Math.max(1, Math.min(8, Math.floor(clock.left / 2 / pace)));
  const all = await spentOn(engine, async () => void (await model.generate(prompt, { maxTokens: 1 + more, ignoreEnd: true, signal })));
  told.step(stepOf("decode", less(all, once), ceilings));
  clock.check();
  if (clock.left < 32 * pace) return;
  await prefill(model, 128, signal);
  told.step(stepOf("prefill 128", await spentOn(engine, () => prefill(model, 128, signal)), ceilings, 1));
}

/** One of the profile's steps, or all as one, its kernels by their time. */
export function stepOf(name: string, profile: Profile, ceilings: Partial<Ceilings>, over?: number): Step {
  const step = aStep(profile, over);
  const kernels = Object.entries(step.kernels).map(([kernel, runs]): KernelShare => {
    const share = shareOf(runs, ceilings);
    return { kernel, ...runs, ...(share !== undefined && { share }) };
  });
  kernels.sort((a, b) => b.ms - a.ms || b.bytes - a.bytes);
  return { name, dispatches: step.dispatches, bytes: kernels.reduce((sum, { bytes }) => sum + bytes, 0), kernels };
}

/** What the device would take if it did nothing but read this, or compute it, as a part of the time that it took. */
function shareOf({ ms, bytes, operations }: KernelRuns, { bytesPerSecond, operationsPerSecond }: Partial<Ceilings>): number | undefined {
  if (!(ms > 0) || !bytesPerSecond || !operationsPerSecond) return undefined;
  return (Math.max(bytes / bytesPerSecond, operations / operationsPerSecond) * 1000) / ms;
}
