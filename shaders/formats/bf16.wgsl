// BF16, the upper halves of floats: 8 words of two.
fn four(at: u32) -> vec4<f32> {
  let a = weights[at];
  let b = weights[at + 1u];
  return bitcast<vec4<f32>>(vec4<u32>(a << 16u, a & 0xffff0000u, b << 16u, b & 0xffff0000u));
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let at = start + 8u * unit;
  return Sixteen(mat4x4<f32>(four(at), four(at + 2u), four(at + 4u), four(at + 6u)), 1.0, 0.0);
}
