// IQ4_NL: nibbles; a word for two units: their scales.
/// −127, −104, −83, −65, −49, −35, −22, −10, 1, 13, 25, 38, 53, 69, 89, 113: four bytes a word.
const UNEVEN = array<u32, 4>(0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u);

fn unit_at(place: Place, unit: u32) -> Unit {
  let scale = half_scale(place.y + unit / 2u, unit);
  return Unit(weights[place.x + unit], vec2<f32>(scale), vec2<f32>());
}
