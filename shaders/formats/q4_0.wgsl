// Q4_0, 5 words of 32: scale (f16, padded to a word), levels in nibbles. weight = scale · (level − 8).
const SIGNED = false;

fn packed(start: u32, unit: u32) -> Packed {
  let at = start + 5u * (unit / 2u);
  let scale = halves(weights[at]).x;
  return Packed(words(at + 1u, 4u * (unit % 2u), NIBBLES), scale, -8.0 * scale);
}
