// Q6_K: nibbles; 21 words for eight units: two of upper bits for each, a byte of scale for each half, the scales' scale
// (f16). weight = scale · (level − 32).
const SIGNED = false;

fn unit_at(place: Place, unit: u32) -> Unit {
  let record = place.y + 21u * (unit / 8u);
  let scale = scales_at(record + 16u, unit);
  let words = weights[place.x + unit];
  let upper = record + 2u * (unit % 8u);
  let low = (words & NIBBLES) | (bit_pairs(scales[upper]) << vec4<u32>(4u));
  let high = ((words >> vec4<u32>(4u)) & NIBBLES) | (bit_pairs(scales[upper + 1u]) << vec4<u32>(4u));
  return Unit(low, high, scale, -32.0 * scale);
}
