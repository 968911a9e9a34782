// F16: 8 words of two halves.
fn four(at: u32) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(weights[at]), unpack2x16float(weights[at + 1u]));
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let at = start + 8u * unit;
  return Sixteen(mat4x4<f32>(four(at), four(at + 2u), four(at + 4u), four(at + 6u)), 1.0, 0.0);
}
