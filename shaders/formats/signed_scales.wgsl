// Before the formats Q3_K and Q6_K.
/// The scales of a unit's halves: two of the signed bytes that begin at word `at`, of a block whose scale (f16) is behind
/// them.
fn scales_at(at: u32, unit: u32) -> vec2<f32> {
  let both = scales[at + unit % 8u / 2u] >> (16u * (unit % 2u));
  return halves(scales[at + 4u]).x * vec2<f32>(signed(both & 0xffu), signed((both >> 8u) & 0xffu));
}
