// Q5_0, 6 words of 32: scale (f16, padded to a word), the levels' fifth bits, their nibbles. weight = scale · (level − 16).
fn four(at: u32, shift: u32, fifths: u32) -> vec4<f32> {
  let fifth = (vec4<u32>(fifths) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u);
  return nibbles(weights[at], shift) + 16.0 * vec4<f32>(fifth);
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let at = start + 6u * (unit / 2u);
  let shift = 4u * (unit % 2u);
  let scale = unpack2x16float(weights[at]).x;
  let fifths = weights[at + 1u] >> (16u * (unit % 2u));
  return Sixteen(
    mat4x4<f32>(four(at + 2u, shift, fifths), four(at + 3u, shift, fifths >> 4u), four(at + 4u, shift, fifths >> 8u), four(at + 5u, shift, fifths >> 12u)),
    scale,
    -16.0 * scale,
  );
}
