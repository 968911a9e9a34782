// MXFP4, 5 words of 32: exponent e (a byte, padded to a word), numbers of E2M1 in nibbles. weight = 2^(e − 128) · level,
// levels being twice those numbers.
const SIGNED = true;
/// 0, 1, 2, 3, 4, 6, 8, 12, and their negatives: four bytes a word.
const UNEVEN = array<u32, 4>(0x03020100u, 0x0c080604u, 0xfdfeff00u, 0xf4f8fafcu);

fn packed(start: u32, unit: u32) -> Packed {
  let at = start + 5u * (unit / 2u);
  let shift = 4u * (unit % 2u);
  let levels = vec4<u32>(
    uneven(weights[at + 1u] >> shift),
    uneven(weights[at + 2u] >> shift),
    uneven(weights[at + 3u] >> shift),
    uneven(weights[at + 4u] >> shift),
  );
  let e = weights[at];
  // The two least are subnormal: a device may take them for zeros.
  return Packed(levels, bitcast<f32>(select((e - 1u) << 23u, 0x200000u << e, e < 2u)), 0.0);
}
