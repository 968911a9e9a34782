// After every quantised format: its levels as floats. A unit is 32 neighbours of a row: weight = scale · level + minimum,
// with one scale and minimum for each half.

/// Fours of a unit.
const FOURS = 8u;

/// Four levels, lowest byte first: whole numbers that fit a signed byte.
fn four(word: u32) -> vec4<f32> {
  if (SIGNED) {
    return vec4<f32>((vec4<i32>(i32(word)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
  }
  return vec4<f32>(bytes(word));
}

fn unit_four(w: Unit, index: u32) -> vec4<f32> {
  return w.scale[index / 4u] * four(level_word(w, index)) + w.minimum[index / 4u];
}
