// Pixels that everybody gets: waves, in the range of normalised images.

/** `count` images of `size`, [channels, height, width]. */
export function pixelsOf(count, size) {
  const length = count * size.reduce((product, side) => product * side, 1);
  return Float32Array.from({ length }, (_, i) => Math.sin(i * 0.37) * Math.cos(i * 0.0113));
}
