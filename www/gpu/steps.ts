// What measures come to on the GPU, by an engine's own counters. Nothing is imported: the benchmark and the lab use this too.

/** Of one kernel, or of all: runs, milliseconds by the GPU's own clock, and the least that they could move and compute. */
export interface KernelRuns {
  count: number;
  ms: number;
  bytes: number;
  operations: number;
}

/** What an engine's GPU has done: beside these, submits, passes, bytes read back and the CPU's milliseconds. */
export interface Profile {
  steps: number;
  dispatches: number;
  kernels: Record<string, KernelRuns>;
  [counter: string]: number | Record<string, KernelRuns>;
}

/** What the engine's GPU does during `work`. */
export async function spentOn(engine: object, work: () => Promise<unknown>): Promise<Profile> {
  const before = await profileOf(engine);
  await work();
  return less(await profileOf(engine), before);
}

/** An engine has this beside what the package's types tell. */
async function profileOf(engine: object): Promise<Profile> {
  const counts = await (engine as { profile(): Promise<Profile | undefined> }).profile();
  if (!counts) throw new Error("the engine does not compute on a GPU");
  return counts;
}

interface Counters { [name: string]: number | Counters }

/** all − some, number by number. Times of two runs differ a little more: no less than nothing. */
export function less<T extends object>(all: T, some: Partial<T> = {}): T {
  const minus = (all: Counters, some: Counters): Counters => Object.fromEntries(Object.entries(all).map(([name, value]) =>
    [name, typeof value === "object" ? minus(value, (some[name] ?? {}) as Counters) : Math.max(value - ((some[name] ?? 0) as number), 0)]));
  return minus(all as Counters, some as Counters) as T;
}

/** Over its steps, or over so many, and without the kernels that took no part. */
export function aStep({ steps, kernels, ...counters }: Profile, over = steps): Profile {
  const each = <T extends object>(values: T) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value / over])) as T;
  const ran = Object.entries(kernels).filter(([, { count }]) => count > 0);
  return { steps, ...each(counters), kernels: Object.fromEntries(ran.map(([label, runs]) => [label, each(runs)])) } as Profile;
}
