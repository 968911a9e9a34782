// Q2_K, 21 words of 256: for each sixteen a byte of scale and minimum (4 bits each), levels of 2 bits, their scales (f16).
fn four(at: u32, shift: u32) -> vec4<f32> {
  return vec4<f32>(bytes(weights[at] >> shift) & vec4<u32>(3u));
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let block = start + 21u * (unit / 16u);
  let u = unit % 16u;
  let at = block + 4u + 8u * (u / 8u) + 4u * (u % 2u);
  let shift = 2u * (u % 8u / 2u);
  let both = byte(weights[block + u / 4u], u % 4u);
  let scale = unpack2x16float(weights[block + 20u]);
  return Sixteen(
    mat4x4<f32>(four(at, shift), four(at + 1u, shift), four(at + 2u, shift), four(at + 3u, shift)),
    scale.x * f32(both & 0xfu),
    -scale.y * f32(both >> 4u),
  );
}
