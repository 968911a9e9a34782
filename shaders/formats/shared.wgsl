// Before the formats with a scale (f16) a unit, of which two share a word.
fn half_scale(first: u32, unit: u32) -> f32 {
  let pair = halves(scales[first]);
  return select(pair.x, pair.y, unit % 2u == 1u);
}
