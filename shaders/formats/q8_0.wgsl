// Q8_0, 9 words of 32: scale (f16, padded to a word), levels in signed bytes.
fn four(word: u32) -> vec4<f32> {
  return vec4<f32>((vec4<i32>(i32(word)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let block = start + 9u * (unit / 2u);
  let at = block + 1u + 4u * (unit % 2u);
  let scale = unpack2x16float(weights[block]).x;
  return Sixteen(mat4x4<f32>(four(weights[at]), four(weights[at + 1u]), four(weights[at + 2u]), four(weights[at + 3u])), scale, 0.0);
}
