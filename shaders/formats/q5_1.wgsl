// Q5_1, 6 words of 32: scale and minimum (f16), the levels' fifth bits, their nibbles.
const SIGNED = false;

fn packed(start: u32, unit: u32) -> Packed {
  let at = start + 6u * (unit / 2u);
  let levels = words(at + 2u, 4u * (unit % 2u), NIBBLES) | fifths(weights[at + 1u] >> (16u * (unit % 2u)));
  let scale = halves(weights[at]);
  return Packed(levels, scale.x, scale.y);
}
