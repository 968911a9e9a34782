// Q6_K, 53 words of 256: the levels' lower four bits, their upper two, a signed byte of scale for each sixteen, the
// scales' scale (f16, padded to a word). weight = scale · (level − 32).
fn four(low: u32, high: u32, low_shift: u32, high_shift: u32) -> vec4<f32> {
  return nibbles(weights[low], low_shift) + 16.0 * vec4<f32>(bytes(weights[high] >> high_shift) & vec4<u32>(3u));
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let block = start + 53u * (unit / 16u);
  let u = unit % 16u;
  let quarter = u % 8u / 2u;
  let low = block + 16u * (u / 8u) + 8u * (quarter % 2u) + 4u * (u % 2u);
  let high = block + 32u + 8u * (u / 8u) + 4u * (u % 2u);
  let shift = 4u * (quarter / 2u);
  let scale = unpack2x16float(weights[block + 52u]).x * signed(byte(weights[block + 48u + u / 4u], u % 4u));
  return Sixteen(
    mat4x4<f32>(four(low, high, shift, 2u * quarter), four(low + 1u, high + 1u, shift, 2u * quarter), four(low + 2u, high + 2u, shift, 2u * quarter), four(low + 3u, high + 3u, shift, 2u * quarter)),
    scale,
    -32.0 * scale,
  );
}
