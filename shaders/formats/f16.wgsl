// F16: 8 words of two halves.
fn four(at: u32) -> vec4<f32> {
  return vec4<f32>(halves(weights[at]), halves(weights[at + 1u]));
}

/// A sixteen that is unpacked four by four: where it begins.
alias Unit = u32;

fn unit_at(start: u32, unit: u32) -> Unit {
  return start + 8u * unit;
}

fn unit_four(at: Unit, index: u32) -> vec4<f32> {
  return four(at + 2u * index);
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let at = unit_at(start, unit);
  return Sixteen(mat4x4<f32>(unit_four(at, 0u), unit_four(at, 1u), unit_four(at, 2u), unit_four(at, 3u)), 1.0, 0.0);
}
