// Right or wrong: whether the GPU's numbers are the CPU's. Nothing here knows where they come from.

/** What a comparison came to: the largest `error`, and what is tolerated of it. */
export interface Verdict {
  right: boolean;
  error: number;
  tolerance: number;
  /** What was wrong, in words. */
  why?: string;
}

/** The largest difference of `got` from `expected`, absolute and relative to the expected value at once. */
export function difference(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  return largest(got, expected, (value) => 1 + Math.abs(value));
}

/** The largest difference as a part of the expected values' standard deviation: of logits whose scale is nobody's choice. */
export function partOfSpread(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  const { length } = expected;
  let sum = 0, squares = 0;
  for (let at = 0; at < length; at++) {
    sum += expected[at]!;
    squares += expected[at]! ** 2;
  }
  const spread = Math.sqrt(squares / length - (sum / length) ** 2);
  return largest(got, expected, () => spread);
}

/** Infinite where a number is none, or where there are more or fewer. */
function largest(got: ArrayLike<number>, expected: ArrayLike<number>, unit: (value: number) => number): number {
  if (got.length !== expected.length || got.length === 0) return Infinity;
  let worst = 0;
  for (let at = 0; at < expected.length; at++) {
    const part = Math.abs(got[at]! - expected[at]!) / unit(expected[at]!);
    // Written so that a NaN is the worst of all.
    if (!(part <= worst)) worst = Number.isNaN(part) ? Infinity : part;
  }
  return worst;
}

export function judge(error: number, tolerance: number): Verdict {
  if (error <= tolerance) return { right: true, error, tolerance };
  return { right: false, error, tolerance, why: `the numbers differ by ${error.toExponential(1)}, and ${tolerance.toExponential(1)} is tolerated` };
}

/** Where two texts part, as a place in both; undefined where they are the same. */
export function parting(got: ArrayLike<number>, expected: ArrayLike<number>): number | undefined {
  const length = Math.max(got.length, expected.length);
  for (let at = 0; at < length; at++) if (got[at] !== expected[at]) return at;
  return undefined;
}

/** A verdict of several: wrong if one is, with the error that is the largest part of its tolerance. */
export function worst(verdicts: Verdict[]): Verdict {
  const [first, ...others] = verdicts;
  if (!first) throw new Error("nothing was compared");
  const part = ({ error, tolerance }: Verdict) => error / tolerance;
  const most = others.reduce((most, each) => (part(each) > part(most) ? each : most), first);
  const wrong = verdicts.find(({ right }) => !right);
  return wrong ? { ...most, right: false, ...(wrong.why !== undefined && { why: wrong.why }) } : most;
}
