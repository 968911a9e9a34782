// BF16, the upper halves of floats: 8 words of two.
fn four(at: u32) -> vec4<f32> {
  let a = weights[at];
  let b = weights[at + 1u];
  return bitcast<vec4<f32>>(vec4<u32>(a << 16u, a & 0xffff0000u, b << 16u, b & 0xffff0000u));
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
