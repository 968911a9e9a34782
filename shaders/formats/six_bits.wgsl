// Before the formats Q4_K and Q5_K.
/// The scale and minimum of 6 bits each of eight groups, from 12 bytes that begin at word `at`.
fn six_bits(at: u32, group: u32) -> vec2<f32> {
  let index = group % 4u;
  let first = byte(weights[at], index);
  let second = byte(weights[at + 1u], index);
  if (group < 4u) {
    return vec2<f32>(f32(first & 63u), f32(second & 63u));
  }
  let third = byte(weights[at + 2u], index);
  return vec2<f32>(f32((third & 0xfu) | ((first >> 6u) << 4u)), f32((third >> 4u) | ((second >> 6u) << 4u)));
}

