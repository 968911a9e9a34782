// Q5_K: nibbles; thirteen words for eight units: scales and minima, the fifth bits of each.
const SIGNED = false;

fn unit_at(place: Place, unit: u32) -> Unit {
  let record = place.y + 13u * (unit / 8u);
  let scale = scale_at(record, unit);
  let words = weights[place.x + unit];
  let fifth = scales[record + 5u + unit % 8u];
  let low = (words & NIBBLES) | (single_bits(fifth, 0u) << vec4<u32>(4u));
  let high = ((words >> vec4<u32>(4u)) & NIBBLES) | (single_bits(fifth, 1u) << vec4<u32>(4u));
  return Unit(low, high, scale.xx, -scale.yy);
}
