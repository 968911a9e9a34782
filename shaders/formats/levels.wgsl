// After every quantised format: its levels as floats. They are whole numbers that fit a signed byte.

/// Four levels, lowest byte first.
fn four(word: u32) -> vec4<f32> {
  if (SIGNED) {
    return vec4<f32>((vec4<i32>(i32(word)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
  }
  return vec4<f32>(bytes(word));
}

fn sixteen(start: u32, unit: u32) -> Sixteen {
  let w = packed(start, unit);
  return Sixteen(mat4x4<f32>(four(w.levels.x), four(w.levels.y), four(w.levels.z), four(w.levels.w)), w.scale, w.minimum);
}

/// A sixteen that is unpacked four by four.
alias Unit = Packed;

fn unit_at(start: u32, unit: u32) -> Unit {
  return packed(start, unit);
}

fn unit_four(w: Unit, index: u32) -> vec4<f32> {
  return w.scale * four(w.levels[index]) + w.minimum;
}
