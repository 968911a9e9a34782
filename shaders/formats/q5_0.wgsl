// Q5_0: nibbles; three words for two units: the fifth bits of each, their scales. weight = scale · (level − 16).
const SIGNED = false;

fn unit_at(place: Place, unit: u32) -> Unit {
  let record = place.y + 3u * (unit / 2u);
  let scale = vec2<f32>(half_scale(record + 2u, unit));
  let words = weights[place.x + unit];
  let fifth = scales[record + unit % 2u];
  let low = (words & NIBBLES) | (single_bits(fifth, 0u) << vec4<u32>(4u));
  let high = ((words >> vec4<u32>(4u)) & NIBBLES) | (single_bits(fifth, 1u) << vec4<u32>(4u));
  return Unit(low, high, scale, -16.0 * scale);
}
