// F32: 16 words.

fn four(at: u32) -> vec4<f32> {
  return vec4<f32>(bitcast<f32>(weights[at]), bitcast<f32>(weights[at + 1u]), bitcast<f32>(weights[at + 2u]), bitcast<f32>(weights[at + 3u]));
}

/// A sixteen that is unpacked four by four: where it begins.
alias Unit = u32;

fn unit_at(start: u32, unit: u32) -> Unit {
  return start + 16u * unit;
}

fn unit_four(at: Unit, index: u32) -> vec4<f32> {
  return four(at + 4u * index);
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let at = unit_at(start, unit);
  return Sixteen(mat4x4<f32>(unit_four(at, 0u), unit_four(at, 1u), unit_four(at, 2u), unit_four(at, 3u)), 1.0, 0.0);
}
