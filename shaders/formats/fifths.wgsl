// Before the formats Q5_0 and Q5_1.
/// The fifth bits of sixteen levels, from a word's lower half, each where it belongs in its level's byte.
fn fifths(bits: u32) -> vec4<u32> {
  let four = vec4<u32>(bits) >> vec4<u32>(0u, 4u, 8u, 12u);
  let one = vec4<u32>(1u);
  let spread = (four & one) | (((four >> one) & one) << vec4<u32>(8u)) | (((four >> vec4<u32>(2u)) & one) << vec4<u32>(16u)) |
    (((four >> vec4<u32>(3u)) & one) << vec4<u32>(24u));
  return spread << vec4<u32>(4u);
}
