// IQ4_NL: nibbles; a word for two units: their scales.
fn unit_at(place: Place, unit: u32) -> Unit {
  let scale = half_scale(place.y + unit / 2u, unit);
  return Unit(weights[place.x + unit], vec2<f32>(scale), vec2<f32>());
}
