// Q8_0, 9 words of 32: scale (f16, padded to a word), levels in signed bytes.
const SIGNED = true;

fn packed(start: u32, unit: u32) -> Packed {
  let block = start + 9u * (unit / 2u);
  return Packed(words(block + 1u + 4u * (unit % 2u), 0u, 0xffffffffu), halves(weights[block]).x, 0.0);
}
