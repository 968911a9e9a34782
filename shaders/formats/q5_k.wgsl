// Q5_K, 44 words of 256: as Q4_K, with the levels' fifth bits before their nibbles.
fn four(low: u32, high: u32, shift: u32, bit: u32) -> vec4<f32> {
  return nibbles(weights[low], shift) + 16.0 * vec4<f32>(bytes(weights[high] >> bit) & vec4<u32>(1u));
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let block = start + 44u * (unit / 16u);
  let u = unit % 16u;
  let group = u / 2u;
  let high = block + 4u + 4u * (u % 2u);
  let low = block + 12u + 8u * (group / 2u) + 4u * (u % 2u);
  let shift = 4u * (group % 2u);
  let scale = unpack2x16float(weights[block]) * six_bits(block + 1u, group);
  return Sixteen(
    mat4x4<f32>(four(low, high, shift, group), four(low + 1u, high + 1u, shift, group), four(low + 2u, high + 2u, shift, group), four(low + 3u, high + 3u, shift, group)),
    scale.x,
    -scale.y,
  );
}
