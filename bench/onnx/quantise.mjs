// Blocks of 32 numbers as MatMulNBits has them: w = (q - zero) · scale, with a zero in the middle of the codes.

export const BLOCK = 32;
const LEVELS = 15, ZERO = 8;
/** What is tried for a scale: the one that reaches both ends, and smaller ones that clip them. */
const SHRINK = [1, 0.96, 0.92, 0.88, 0.84, 0.8];

/** Numbers in 4 or 8 bits: `packed` codes, in 4 bits two a byte with the first one low, and a scale for each block. */
export function quantise({ data, bits }) {
  const blocks = data.length / BLOCK;
  const packed = new Uint8Array((data.length * bits) / 8);
  const scales = new Float32Array(blocks);
  const encode = bits === 4 ? encode4 : encode8;
  const slice = (array, block) => array.subarray((block * array.length) / blocks, ((block + 1) * array.length) / blocks);
  for (let block = 0; block < blocks; block++) scales[block] = encode(slice(data, block), slice(packed, block));
  return { packed, scales };
}

/** Codes around 128; numbers that came from Q8_0 stay what they are. */
function encode8(w, packed) {
  const scale = w.reduce((top, value) => Math.max(top, Math.abs(value)), 0) / 127;
  for (let i = 0; i < BLOCK; i++) packed[i] = 128 + (scale ? Math.round(w[i] / scale) : 0);
  return scale;
}

/** Codes around 8, of the scales that are tried the one with the smallest squared error. */
function encode4(w, packed) {
  const low = w.reduce((a, b) => Math.min(a, b), 0);
  const high = w.reduce((a, b) => Math.max(a, b), 0);
  let best = { scale: 0, codes: new Uint8Array(BLOCK).fill(ZERO), error: Infinity };
  // There is one code more below zero than above: a block may fit better upside down, by a negative scale.
  const upright = Math.max(-low / ZERO, high / (LEVELS - ZERO));
  const mirrored = -Math.max(high / ZERO, -low / (LEVELS - ZERO));
  for (const widest of low === high ? [] : [upright, mirrored]) {
    for (const shrink of SHRINK) {
      const choice = fit(w, widest * shrink);
      if (choice.error < best.error) best = choice;
    }
  }
  for (let i = 0; i < BLOCK; i += 2) packed[i / 2] = best.codes[i] | (best.codes[i + 1] << 4);
  return best.scale;
}

/** The nearest codes for one scale, then the best scale for those codes. */
function fit(w, trial) {
  const codes = new Uint8Array(BLOCK);
  let product = 0, square = 0, error = 0;
  for (let i = 0; i < BLOCK; i++) {
    codes[i] = Math.min(LEVELS, Math.max(0, Math.round(w[i] / trial) + ZERO));
    product += w[i] * (codes[i] - ZERO);
    square += (codes[i] - ZERO) ** 2;
  }
  const scale = square ? product / square : 0;
  for (let i = 0; i < BLOCK; i++) error += (w[i] - (codes[i] - ZERO) * scale) ** 2;
  return { codes, scale, error };
}
