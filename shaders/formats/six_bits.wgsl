// Before the formats Q4_K and Q5_K.
/// Scale and minimum of a unit, from a record that begins with those of the block's own (f16), followed by two bytes of
/// each unit.
fn scale_at(record: u32, unit: u32) -> vec2<f32> {
  let both = scales[record + 1u + unit % 8u / 2u] >> (16u * (unit % 2u));
  return halves(scales[record]) * vec2<f32>(f32(both & 0xffu), f32((both >> 8u) & 0xffu));
}
