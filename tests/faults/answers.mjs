// What models are asked here, and answers in a few characters, bit by bit.

import { createHash } from "node:crypto";

export const PIXELS = { data: Float32Array.from({ length: 3 * 48 * 48 }, (_, at) => Math.sin(at)), dims: [1, 3, 48, 48] };

export function digest({ data, dims }) {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return `${dims} ${createHash("sha1").update(bytes).digest("hex").slice(0, 12)}`;
}
