// Sums over the lanes of a row, where every subgroup has LANES lanes: nobody has to wait for another.

/// The sum of what a row's lanes have, for all of them.
fn total(local: u32, part: f32) -> f32 {
  return subgroupAdd(part);
}
