// Q2_K, 21 words for eight units: two of levels for each, a byte of scale and minimum (4 bits each) for each half, their
// scales (f16).
const SIGNED = false;

fn unit_at(place: Place, unit: u32) -> Unit {
  let record = place.y + 21u * (unit / 8u);
  let levels = record + 2u * (unit % 8u);
  let both = vec2<u32>(scales[record + 16u + unit % 8u / 2u]) >> (vec2<u32>(16u * (unit % 2u)) + vec2<u32>(0u, 8u));
  let scale = halves(scales[record + 20u]);
  let minimum = -scale.y * vec2<f32>((both >> vec2<u32>(4u)) & vec2<u32>(0xfu));
  return Unit(bit_pairs(scales[levels]), bit_pairs(scales[levels + 1u]), scale.x * vec2<f32>(both & vec2<u32>(0xfu)), minimum);
}
