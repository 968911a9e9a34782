// Sums over the lanes of a row through workgroup memory.

var<workgroup> parts: array<f32, THREADS>;

/// The sum of what a row's lanes have, for all of them.
fn total(local: u32, part: f32) -> f32 {
  workgroupBarrier();
  parts[local] = part;
  workgroupBarrier();
  let first = local / LANES * LANES;
  var sum = 0.0;
  for (var i = first; i < first + LANES; i += 1u) {
    sum += parts[i];
  }
  return sum;
}
