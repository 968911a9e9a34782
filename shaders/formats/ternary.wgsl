// TQ1_0 and TQ2_0, 17 words for eight units: two of levels for each, a scale (f16). weight = scale · (level − 1).
const SIGNED = false;

fn unit_at(place: Place, unit: u32) -> Unit {
  let record = place.y + 17u * (unit / 8u);
  let levels = record + 2u * (unit % 8u);
  let scale = vec2<f32>(halves(scales[record + 16u]).x);
  return Unit(bit_pairs(scales[levels]), bit_pairs(scales[levels + 1u]), scale, -scale);
}
