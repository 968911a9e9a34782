// Rows of numbers, put together.

import { asError } from "../shared/errors.js";
import type { TensorF32 } from "../shared/types.js";

/** Tensors of one width, one below the other: [rows, width]. */
export function stack(tensors: TensorF32[], width: number): TensorF32 {
  if (tensors.length === 1) return tensors[0]!;
  const rows = tensors.reduce((sum, { dims }) => sum + dims[0]!, 0);
  return fill(rows, width, tensors.map(({ data }) => data));
}

/** Vectors as rows: [vectors, width]. */
export function rowsOf(vectors: Float32Array[], width: number): TensorF32 {
  return fill(vectors.length, width, vectors);
}

/** Row `at`, where it lies. */
export function rowAt({ data, dims }: TensorF32, at: number): Float32Array {
  return data.subarray(at * dims[1]!, (at + 1) * dims[1]!);
}

function fill(rows: number, width: number, parts: Float32Array[]): TensorF32 {
  const data = makeRoom(rows * width);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { data, dims: [rows, width] };
}

function makeRoom(length: number): Float32Array {
  try {
    return new Float32Array(length);
  } catch (error) {
    throw asError(error);
  }
}
