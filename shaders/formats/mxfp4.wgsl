// MXFP4: nibbles, numbers of E2M1; a word for four units: their exponents e. weight = 2^(e − 128) · level, levels being
// twice those numbers.
/// 0, 1, 2, 3, 4, 6, 8, 12, and their negatives: four bytes a word.
const UNEVEN = array<u32, 4>(0x03020100u, 0x0c080604u, 0xfdfeff00u, 0xf4f8fafcu);

fn unit_at(place: Place, unit: u32) -> Unit {
  let e = byte(scales[place.y + unit / 4u], unit % 4u);
  // The two least are subnormal: a device may take them for zeros.
  let scale = bitcast<f32>(select((e - 1u) << 23u, 0x200000u << e, e < 2u));
  return Unit(weights[place.x + unit], vec2<f32>(scale), vec2<f32>());
}
