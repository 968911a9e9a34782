// Q3_K, 29 words for eight units: two of lower bits for each, one of third bits, a byte of scale for each half, the scales'
// scale (f16). weight = scale · (level − 4).
const SIGNED = false;

fn unit_at(place: Place, unit: u32) -> Unit {
  let record = place.y + 29u * (unit / 8u);
  let scale = scales_at(record + 24u, unit);
  let lower = record + 2u * (unit % 8u);
  let third = scales[record + 16u + unit % 8u];
  let low = bit_pairs(scales[lower]) | (single_bits(third, 0u) << vec4<u32>(2u));
  let high = bit_pairs(scales[lower + 1u]) | (single_bits(third, 1u) << vec4<u32>(2u));
  return Unit(low, high, scale, -4.0 * scale);
}
