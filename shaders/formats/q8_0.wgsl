// Q8_0: signed bytes; a word for two units: their scales.
const SIGNED = true;

fn unit_at(place: Place, unit: u32) -> Unit {
  let at = place.x + 2u * unit;
  let scale = half_scale(place.y + unit / 2u, unit);
  return Unit(weights[at], weights[at + 1u], vec2<f32>(scale), vec2<f32>());
}
