// Q5_0, 6 words of 32: scale (f16, padded to a word), the levels' fifth bits, their nibbles. weight = scale · (level − 16).
const SIGNED = false;

fn packed(start: u32, unit: u32) -> Packed {
  let at = start + 6u * (unit / 2u);
  let levels = words(at + 2u, 4u * (unit % 2u), NIBBLES) | fifths(weights[at + 1u] >> (16u * (unit % 2u)));
  let scale = halves(weights[at]).x;
  return Packed(levels, scale, -16.0 * scale);
}
