// Sums of the lanes of a row, without subgroups: every lane keeps its own until the end.

/// How many partial sums are left of LANES lanes.
fn parts() -> u32 {
  return LANES;
}

/// The lane's sum with those of the lanes that it speaks for.
fn fold(sum: vec4<f32>) -> vec4<f32> {
  return sum;
}

/// Which of the partial sums the lane has to give; `parts()` or more: none.
fn part(lane: u32) -> u32 {
  return lane;
}

