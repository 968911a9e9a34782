// What all comparisons of a family with its case share: how far a number may be off, and what was wrong where.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Where nothing was measured. */
const UNKNOWN = { outputs: 1e-3, attention: 1e-4 };

/**
 * How far a family's numbers may be off, absolute and relative to the expected value at once: ten times the largest error
 * that was measured of it, of its outputs and of its attention weights. `npm run conformance:errors` writes the table.
 */
export function toleranceOf(directory, family) {
  const table = join(directory, "errors.json");
  const errors = existsSync(table) && JSON.parse(readFileSync(table, "utf8"))[family];
  if (!errors) return UNKNOWN;
  return Object.fromEntries(Object.entries(errors).map(([what, error]) => [what, 10 * error]));
}

/** Gathers the largest errors and the first few differences. */
export class Verdict {
  constructor(tolerance) {
    this.tolerance = tolerance;
  }

  failures = [];
  absolute = 0;
  /** The largest error as a part of what is tolerated there; over 1 is a failure. */
  relative = 0;
  /** What else was compared. */
  more = "";

  fail(text) {
    this.failures.push(text);
  }

  /** Compares a row of logits, or of something else; only the worst place is told. */
  row(what, got, expected, { place: name = "token", of = "outputs" } = {}) {
    const tolerance = this.tolerance[of];
    let worst = 0, place;
    for (const [token, value] of expected.entries()) {
      const error = Math.abs(got[token] - value);
      const part = error / (tolerance * (1 + Math.abs(value)));
      this.absolute = Math.max(this.absolute, error);
      // Written so that a NaN is the worst of all.
      if (!(part <= worst)) [worst, place] = [Number.isNaN(part) ? Infinity : part, token];
    }
    this.relative = Math.max(this.relative, worst);
    if (worst > 1) this.fail(`${what}, ${name} ${place}: expected ${expected[place]}, got ${got[place]}, within ${tolerance.toExponential(1)}`);
  }

  /** Compares a whole tensor of the package (`data`, `dims`) with one of the case (`data`, `shape`). */
  tensor(what, got, expected, how) {
    if (this.shape(what, got.dims, expected.shape)) this.row(what, got.data, expected.data, how);
  }

  shape(what, got, expected) {
    if (got.join() !== expected.join()) this.fail(`${what}: shape [${got}], expected [${expected}]`);
    return got.join() === expected.join();
  }
}

/** The rows of `input_ids` without their padding. */
export function unpaddedRows({ input_ids, attention_mask }) {
  const [count, length] = input_ids.shape;
  return Array.from({ length: count }, (_, row) => {
    const mask = slice(attention_mask.data, row, length);
    return Array.from(slice(input_ids.data, row, length)).filter((_, position) => mask[position]);
  });
}

/**
 * Compares what each position of each row has (logits, hidden states): `together` is of the rows as one batch, `alone`
 * of each for itself. `lengths` are the positions that count; the rest is padding.
 */
export function comparePositions(verdict, what, expected, { together, alone, lengths, place }) {
  const [rows, expectedLength, width] = expected.shape;
  const length = Math.max(...lengths);
  const batched = verdict.shape(what, together.dims, [rows, length, width]);
  lengths.forEach((count, row) => {
    const single = verdict.shape(`${what} of row ${row} alone`, alone[row].dims, [1, count, width]);
    for (let position = 0; position < count; position++) {
      const value = slice(expected.data, row * expectedLength + position, width);
      const at = `position ${position}`;
      if (batched) verdict.row(`${what}, row ${row}, ${at}`, slice(together.data, row * length + position, width), value, { place });
      if (single) verdict.row(`${what}, row ${row} alone, ${at}`, slice(alone[row].data, position, width), value, { place });
    }
  });
}

/** Compares what each row has as a whole (vectors, logits of classes), in the batch and alone. */
export function compareRows(verdict, what, expected, { together, alone, place }) {
  verdict.tensor(what, together, expected, { place });
  alone.forEach((got, row) => verdict.tensor(`${what} of row ${row} alone`, got, rowOf(expected, row), { place }));
}

/** One row of a tensor of the case, as a tensor of one row. */
export function rowOf({ shape: [rows, ...rest], data }, row) {
  return { shape: [1, ...rest], data: slice(data, row, data.length / rows) };
}

export function slice(data, row, width) {
  return data.slice(row * width, (row + 1) * width);
}
