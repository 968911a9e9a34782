// Sums of the lanes of a row without subgroups: through workgroup memory.

var<workgroup> partial: array<vec4<f32>, THREADS>;
var<workgroup> partial_squares: array<f32, THREADS>;

/// The sums over a row's lanes, for its first one.
fn fold(local: u32, sums: vec4<f32>, squares: f32) -> Folded {
  // What was added up before may still be read.
  workgroupBarrier();
  partial[local] = sums;
  partial_squares[local] = squares;
  workgroupBarrier();
  var folded = Folded(sums, squares);
  if (local % LANES == 0u) {
    for (var i = local + 1u; i < local + LANES; i += 1u) {
      folded.sums += partial[i];
      folded.squares += partial_squares[i];
    }
  }
  return folded;
}
