// Q3_K, 28 words of 256: the levels' third bits, their lower two, a scale of 6 bits for each sixteen, the scales' scale
// (f16, padded to a word). weight = scale · (level − 4): a third bit that is missing takes 4 away.
fn four(low: u32, high: u32, shift: u32, bit: u32) -> vec4<f32> {
  let levels = bytes(weights[low] >> shift) & vec4<u32>(3u);
  let third = bytes(weights[high] >> bit) & vec4<u32>(1u);
  return vec4<f32>(levels) + 4.0 * vec4<f32>(third);
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let block = start + 28u * (unit / 16u);
  let u = unit % 16u;
  let low = block + 8u + 8u * (u / 8u) + 4u * (u % 2u);
  let high = block + 4u * (u % 2u);
  let shift = 2u * (u % 8u / 2u);
  let bit = u / 2u;
  // Four bits among the first eight bytes, two among the last four.
  let lower = (byte(weights[block + 24u + u % 8u / 4u], u % 4u) >> (4u * (u / 8u))) & 0xfu;
  let upper = (byte(weights[block + 26u], u % 4u) >> (2u * (u / 4u))) & 3u;
  let scale = unpack2x16float(weights[block + 27u]).x * (f32(lower | (upper << 4u)) - 32.0);
  return Sixteen(
    mat4x4<f32>(four(low, high, shift, bit), four(low + 1u, high + 1u, shift, bit), four(low + 2u, high + 2u, shift, bit), four(low + 3u, high + 3u, shift, bit)),
    scale,
    -4.0 * scale,
  );
}
