// Sums of the lanes of a row: the subgroups', which lie in the workgroup one after another (the device was asked), and
// are no larger than LANES.

/// How many partial sums are left of LANES lanes.
fn parts() -> u32 {
  return LANES / subgroupAdd(1u);
}

/// The lane's sum with those of the lanes that it speaks for.
fn fold(sum: vec4<f32>) -> vec4<f32> {
  return subgroupAdd(sum);
}

/// Which of the partial sums the lane has to give; `parts()` or more: none.
fn part(lane: u32) -> u32 {
  let size = subgroupAdd(1u);
  return select(LANES, lane / size, lane % size == 0u);
}

