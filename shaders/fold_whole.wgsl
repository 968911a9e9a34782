// Sums of the lanes of a row, where every subgroup has LANES lanes: nobody has to wait for another.

/// The sums over a row's lanes, for its first one.
fn fold(local: u32, sums: vec4<f32>, squares: f32) -> Folded {
  return Folded(subgroupAdd(sums), subgroupAdd(squares));
}
