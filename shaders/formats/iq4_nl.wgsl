// IQ4_NL, 5 words of 32: scale (f16, padded to a word), indices of uneven levels in nibbles.
const SIGNED = true;
/// −127, −104, −83, −65, −49, −35, −22, −10, 1, 13, 25, 38, 53, 69, 89, 113: four bytes a word.
const UNEVEN = array<u32, 4>(0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u);

fn packed(start: u32, unit: u32) -> Packed {
  let at = start + 5u * (unit / 2u);
  let shift = 4u * (unit % 2u);
  let levels = vec4<u32>(
    uneven(weights[at + 1u] >> shift),
    uneven(weights[at + 2u] >> shift),
    uneven(weights[at + 3u] >> shift),
    uneven(weights[at + 4u] >> shift),
  );
  return Packed(levels, halves(weights[at]).x, 0.0);
}
