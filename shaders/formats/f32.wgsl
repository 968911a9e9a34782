// F32: 16 words.

fn four(at: u32) -> vec4<f32> {
  return vec4<f32>(bitcast<f32>(weights[at]), bitcast<f32>(weights[at + 1u]), bitcast<f32>(weights[at + 2u]), bitcast<f32>(weights[at + 3u]));
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let at = start + 16u * unit;
  return Sixteen(mat4x4<f32>(four(at), four(at + 4u), four(at + 8u), four(at + 12u)), 1.0, 0.0);
}
