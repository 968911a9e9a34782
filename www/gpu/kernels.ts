// Right or wrong, kernel by kernel: a model of one layer for each format of weights and type of cache, on the CPU and on
// the GPU, asked in every way that has kernels of its own: one row, a few rows, a prompt, and texts that are written.

import { CausalLM, type Engine } from "../azulejo/index.js";
import type { Clock } from "./clock.js";
import { judge, parting, partOfSpread, type Verdict } from "./compare.js";
import { onCpu, onGpu, withEngines, type Knobs } from "./engines.js";
import { llamaFile, type LlamaShape } from "./gguf.js";
import { tokens } from "./random.js";
import { FORMATS, formatOf } from "./weight-formats.js";

/** Rows of 256 weights, which is a block of a K-quant; heads as wide as most models have. */
const SHAPE: LlamaShape = { layers: 1, width: 256, inner: 512, heads: 4, kvHeads: 2, vocabulary: 512, context: 128 };

/** What a model of each kind of weights is asked. */
export const ASKED = ["one row", "few rows", "prompt", "best", "drawn"] as const;
export type Asked = (typeof ASKED)[number];

export interface Case {
  name: string;
  weights: string;
  cache: "f32" | "f16" | "q8";
  /**
   * How far logits may be off, as a part of their standard deviation: some ten times what was seen of right kernels. With
   * weights in blocks it is the CPU that rounds, its inputs to 15 bits.
   */
  tolerance: number;
}

/** Every format with a cache of 32 bits, and the other types of cache with one format. */
export const CASES: Case[] = [
  ...Object.keys(FORMATS).map((weights): Case => ({ name: weights, weights, cache: "f32", tolerance: formatOf(weights).elements > 1 ? 7e-3 : 1e-4 })),
  { name: "cache f16", weights: "Q8_0", cache: "f16", tolerance: 1e-2 },
  { name: "cache q8", weights: "Q8_0", cache: "q8", tolerance: 6e-2 },
];

/** What the GPU is made out to be, and what of it is worth asking then. */
export interface Variant {
  name: string;
  knobs?: Knobs;
  asked: readonly Asked[];
  /** Where its arithmetic is another: in place of the case's, if that is less. */
  tolerance?: number;
  /** Only weights in blocks: it changes nothing for others. */
  blocks?: true;
}

/** Ways of kernels that were measured to be quicker may round more: speed is measured with them. */
export const PLAIN: Variant = { name: "as it is", knobs: { tuning: false }, asked: ASKED };
const INTEGER_DOT: Variant = { name: "products of 8 bits", knobs: { integerDot: true }, asked: ["prompt"], tolerance: 0.3, blocks: true };
const NO_SUBGROUPS: Variant = { name: "without subgroups", knobs: { without: ["subgroups"] }, asked: ["one row", "prompt", "drawn"] };

/** Those in which a GPU with these features differs. */
export function variantsOf(features: string[]): Variant[] {
  return [PLAIN, ...(features.includes("subgroups") ? [NO_SUBGROUPS] : []), INTEGER_DOT];
}

/** Whether the variant's arithmetic of this case is its own. */
export function concerns({ blocks }: Variant, { weights, cache }: Case): boolean {
  return !blocks || (cache === "f32" && formatOf(weights).elements > 1);
}

/** Of one model on one variant, one verdict for each question. */
export interface KernelResult {
  name: string;
  variant: string;
  verdicts: Partial<Record<Asked, Verdict>>;
}

type Answers = Partial<Record<Asked, ArrayLike<number>>>;

/** Tells of each variant's cases, until all are compared or the time is over. */
export async function compareKernels(variants: (Variant & { cases: Case[] })[], clock: Clock, tell: (result: KernelResult) => void): Promise<void> {
  const expected = new Map<string, Answers>();
  await withEngines([onCpu()], async (cpu) => {
    for (const variant of variants) {
      clock.check();
      if (clock.isOver) return;
      await withEngines([onGpu(variant.knobs)], async (gpu) => {
        for (const each of variant.cases) {
          clock.check();
          if (clock.isOver) return;
          const file = llamaFile(SHAPE, each.weights, each.weights, 2);
          const right = expected.get(each.name) ?? (await answers(file, each.cache, cpu!, ASKED, clock.signal));
          expected.set(each.name, right);
          tell({ name: each.name, variant: variant.name, verdicts: await compared(file, each, gpu!, variant, right, clock.signal) });
        }
      });
    }
  });
}

async function compared(
  file: Uint8Array, { cache, tolerance: usual }: Case, gpu: Engine, variant: Variant, right: Answers, signal: AbortSignal,
): Promise<KernelResult["verdicts"]> {
  const tolerance = Math.max(usual, variant.tolerance ?? 0);
  try {
    return verdicts(await answers(file, cache, gpu, variant.asked, signal), right, variant.asked, tolerance);
  } catch (error) {
    if (signal.aborted) throw error;
    const failed: Verdict = { right: false, error: Infinity, tolerance, why: (error as Error).message };
    return Object.fromEntries(variant.asked.map((asked) => [asked, failed]));
  }
}

/** A verdict for each question that was asked. */
export function verdicts(got: Answers, expected: Answers, asked: readonly Asked[], tolerance: number): KernelResult["verdicts"] {
  return Object.fromEntries(asked.map((each): [Asked, Verdict] => {
    const [own, other] = [got[each] ?? [], expected[each] ?? []];
    if (each !== "best" && each !== "drawn") return [each, judge(partOfSpread(own, other), tolerance)];
    const at = parting(own, other);
    const error = at === undefined ? 0 : other.length - at;
    if (at === undefined) return [each, { right: true, error, tolerance: 0 }];
    return [each, { right: false, error, tolerance: 0, why: `token ${at + 1} of ${other.length} is another` }];
  }));
}

const ROW = tokens(1, SHAPE.vocabulary, 11);
const FEW = [12, 13, 14].map((seed) => tokens(1, SHAPE.vocabulary, seed));
const PROMPT = tokens(48, SHAPE.vocabulary, 15);
const WRITTEN = { maxTokens: 8, ignoreEnd: true };

async function answers(file: Uint8Array, cache: Case["cache"], engine: Engine, asked: readonly Asked[], signal: AbortSignal): Promise<Answers> {
  const model = await CausalLM.load(file.slice(), { engine, kvCacheType: cache, cache: false, signal });
  const ask: Record<Asked, () => Promise<ArrayLike<number>>> = {
    "one row": async () => (await model.logits([ROW])).data,
    "few rows": async () => (await model.logits(FEW)).data,
    prompt: async () => (await model.logits([PROMPT])).data,
    best: async () => (await model.generate(PROMPT, WRITTEN)).tokens,
    drawn: async () => (await model.generate(PROMPT, { ...WRITTEN, temperature: 0.8, topK: 40, topP: 0.95, seed: 1 })).tokens,
  };
  try {
    const found: Answers = {};
    for (const each of asked) found[each] = await ask[each]();
    return found;
  } finally {
    await model.dispose();
  }
}
