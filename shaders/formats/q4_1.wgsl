// Q4_1, 5 words of 32: scale and minimum (f16), levels in nibbles: the low ones first.
const SIGNED = false;

fn packed(start: u32, unit: u32) -> Packed {
  let at = start + 5u * (unit / 2u);
  let scale = halves(weights[at]);
  return Packed(words(at + 1u, 4u * (unit % 2u), NIBBLES), scale.x, scale.y);
}
