// Sums of the lanes of a row: first within the subgroups, which lie in the workgroup one after another (the device was
// asked) and are no larger than LANES, then through workgroup memory.

var<workgroup> partial: array<vec4<f32>, THREADS>;
var<workgroup> partial_squares: array<f32, THREADS>;

/// The sums over a row's lanes, for its first one.
fn fold(local: u32, sums: vec4<f32>, squares: f32) -> Folded {
  // What was added up before may still be read.
  workgroupBarrier();
  let size = subgroupAdd(1u);
  var folded = Folded(subgroupAdd(sums), subgroupAdd(squares));
  if (local % size == 0u) {
    partial[local] = folded.sums;
    partial_squares[local] = folded.squares;
  }
  workgroupBarrier();
  if (local % LANES == 0u) {
    for (var i = local + size; i < local + LANES; i += size) {
      folded.sums += partial[i];
      folded.squares += partial_squares[i];
    }
  }
  return folded;
}
