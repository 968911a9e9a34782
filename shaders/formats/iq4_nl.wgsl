// IQ4_NL, 5 words of 32: scale (f16, padded to a word), indices of uneven levels in nibbles.
const UNEVEN = array<f32, 16>(-127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0, 89.0, 113.0);

fn four(at: u32, shift: u32) -> vec4<f32> {
  var uneven = UNEVEN;
  let index = bytes(weights[at] >> shift) & vec4<u32>(0xfu);
  return vec4<f32>(uneven[index.x], uneven[index.y], uneven[index.z], uneven[index.w]);
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let at = start + 5u * (unit / 2u);
  let shift = 4u * (unit % 2u);
  let scale = unpack2x16float(weights[at]).x;
  return Sixteen(mat4x4<f32>(four(at + 1u, shift), four(at + 2u, shift), four(at + 3u, shift), four(at + 4u, shift)), scale, 0.0);
}
