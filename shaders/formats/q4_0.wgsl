// Q4_0: nibbles; a word for two units: their scales. weight = scale · (level − 8).
fn unit_at(place: Place, unit: u32) -> Unit {
  let scale = vec2<f32>(half_scale(place.y + unit / 2u, unit));
  return Unit(weights[place.x + unit], scale, -8.0 * scale);
}
