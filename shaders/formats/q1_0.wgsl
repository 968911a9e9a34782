// Q1_0, nine words for eight units: a bit of each level, and a scale (f16) for each four units. weight = scale · (2 level − 1).
const SIGNED = false;

fn unit_at(place: Place, unit: u32) -> Unit {
  let record = place.y + 9u * (unit / 8u);
  let levels = scales[record + unit % 8u];
  let scale = vec2<f32>(half_scale(record + 8u, unit / 4u));
  return Unit(single_bits(levels, 0u), single_bits(levels, 1u), 2.0 * scale, -scale);
}
