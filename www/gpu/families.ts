// Right or wrong, family by family: a tiny model of each with random weights, on the CPU and on the GPU of this browser.

import {
  CausalLM, ImageClassifier, ImageTextMatcher, Seq2SeqLM, TextEmbedder, TokenClassifier,
  type Engine, type LoadOptions, type TensorF32,
} from "../azulejo/index.js";
import type { Clock } from "./clock.js";
import { difference, judge, parting, type Verdict } from "./compare.js";
import { onCpu, onGpu, withEngines } from "./engines.js";
import { Random, tokens } from "./random.js";

/** As scripts/gpu-families.mjs writes it. */
export interface Family {
  name: string;
  kind: "causal" | "encoder" | "tokens" | "seq2seq" | "vision" | "dual";
  config: Record<string, unknown>;
  /** How far its numbers may be off: the tests' own. */
  tolerance: number;
  tensors: [name: string, shape: number[], mean: number, spread: number][];
  rows?: number[][];
  pixels?: number[];
}

export interface FamilyResult extends Verdict {
  name: string;
  kind: Family["kind"];
  /** Of families that write: tokens taken greedily and drawn with a seed that are the same on both, of so many. */
  greedy?: string;
  drawn?: string;
}

/** What a model answers. */
interface Answer {
  numbers: ArrayLike<number>;
  greedy?: number[];
  drawn?: number[];
}

const PROMPT = 12;
const WRITTEN = 12;

export async function loadFamilies(): Promise<Family[]> {
  const response = await fetch(new URL("families.json", import.meta.url));
  if (!response.ok) throw new Error(`families.json: HTTP ${response.status}`);
  return response.json() as Promise<Family[]>;
}

/** Tells of each family as it is compared, until all are or the time is over. */
export async function compareFamilies(families: Family[], clock: Clock, tell: (result: FamilyResult) => void): Promise<void> {
  await withEngines([onCpu(), onGpu()], async (cpu, gpu) => {
    for (const family of families) {
      clock.check();
      if (clock.isOver) return;
      tell(await compareFamily(family, cpu!, gpu!, clock.signal));
    }
  });
}

async function compareFamily(family: Family, cpu: Engine, gpu: Engine, signal: AbortSignal): Promise<FamilyResult> {
  const { name, kind, tolerance } = family;
  const folder = { "config.json": JSON.stringify(family.config), "model.safetensors": safetensors(family) };
  const expected = await ask(family, folder, { engine: cpu, signal, cache: false });
  try {
    const got = await ask(family, folder, { engine: gpu, signal, cache: false });
    return { name, kind, ...compareAnswers(got, expected, tolerance) };
  } catch (error) {
    if (signal.aborted) throw error;
    // What fails on one device only is wrong as well.
    return { name, kind, right: false, error: Infinity, tolerance, why: (error as Error).message };
  }
}

/** The verdict on an answer, by another that is right. */
export function compareAnswers(got: Answer, expected: Answer, tolerance: number): Verdict & Pick<FamilyResult, "greedy" | "drawn"> {
  const verdict: Verdict & Pick<FamilyResult, "greedy" | "drawn"> = judge(difference(got.numbers, expected.numbers), tolerance);
  for (const how of ["greedy", "drawn"] as const) {
    const [own, other] = [got[how], expected[how]];
    if (!own || !other) continue;
    const at = parting(own, other);
    verdict[how] = `${at ?? other.length} of ${other.length}`;
    if (at === undefined) continue;
    verdict.right = false;
    verdict.why ??= `${how === "greedy" ? "the best" : "a drawn"} token ${at + 1} is another: ${own[at]}, not ${other[at]}`;
  }
  return verdict;
}

async function ask(family: Family, folder: Record<string, string | Uint8Array>, options: LoadOptions): Promise<Answer> {
  const { kind, config, rows = [] } = family;
  const using = <M extends { dispose(): Promise<void> }>(loading: Promise<M>, work: (model: M) => Promise<Answer>) => useModel(loading, work);
  const only = async (answer: Promise<TensorF32>): Promise<Answer> => ({ numbers: (await answer).data });
  if (kind === "causal") return using(CausalLM.load(folder, { ...options, kvCacheType: "f32" }), (model) => write(model, rows));
  if (kind === "encoder") return using(TextEmbedder.load(folder, options), (model) => only(model.hidden(rows)));
  if (kind === "tokens") return using(TokenClassifier.load(folder, options), (model) => only(model.logits(rows)));
  if (kind === "vision") return using(ImageClassifier.load(folder, options), (model) => only(model.logits(picture(family))));
  if (kind === "dual") return using(ImageTextMatcher.load(folder, options), (model) => only(model.logits(picture(family), rows)));
  const start = config["decoder_start_token_id"] as number;
  const begun = rows.map((_, row) => [start, ...tokens(7 - row, config["vocab_size"] as number, 5 + row)]);
  return using(Seq2SeqLM.load(folder, options), (model) => only(model.logits(rows, begun)));
}

async function useModel<M extends { dispose(): Promise<void> }>(loading: Promise<M>, work: (model: M) => Promise<Answer>): Promise<Answer> {
  const model = await loading;
  try {
    return await work(model);
  } finally {
    await model.dispose();
  }
}

async function write(model: CausalLM, rows: number[][]): Promise<Answer> {
  const prompt = rows[0]!.slice(0, PROMPT);
  const { data } = await model.logits(rows);
  const greedy = await model.generate(prompt, { maxTokens: WRITTEN, ignoreEnd: true });
  const drawn = await model.generate(prompt, { maxTokens: WRITTEN, ignoreEnd: true, temperature: 0.8, topK: 40, topP: 0.95, seed: 1 });
  return { numbers: data, greedy: Array.from(greedy.tokens), drawn: Array.from(drawn.tokens) };
}

/** Pixels in the range of normalised images. */
function picture({ pixels = [] }: Family): TensorF32 {
  const random = new Random(3);
  const count = pixels.reduce((all, each) => all * each);
  return { data: Float32Array.from({ length: count }, () => random.around(0, 1)), dims: pixels };
}

/** The family's tensors, filled, as the file that a checkpoint's folder has. */
function safetensors({ tensors }: Family): Uint8Array {
  const header: Record<string, { dtype: "F32"; shape: number[]; data_offsets: [number, number] }> = {};
  let end = 0;
  for (const [name, shape] of tensors) {
    const start = end;
    end += 4 * shape.reduce((all, each) => all * each, 1);
    header[name] = { dtype: "F32", shape, data_offsets: [start, end] };
  }
  const words = JSON.stringify(header);
  const head = new TextEncoder().encode(words.padEnd(Math.ceil(words.length / 8) * 8));
  const file = new Uint8Array(8 + head.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(head.length), true);
  file.set(head, 8);
  const values = new Float32Array(file.buffer, 8 + head.length);
  const random = new Random(1);
  let at = 0;
  for (const [, shape, mean, spread] of tensors) {
    for (const to = at + shape.reduce((all, each) => all * each, 1); at < to; at++) values[at] = random.around(mean, spread);
  }
  return file;
}
