// out = x / √(mean x² + epsilon) · weight
//
// Before products of many rows; matrix_vector.wgsl norms its input itself. A workgroup has a row.
// Grid: (1, rows).

struct Parameters {
  columns: u32,  // fours of a row
  weight: u32,   // where the norm's weights begin
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [rows, width / 4]
@group(0) @binding(1) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;   // [rows, width / 4]

var<workgroup> squares: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let columns = parameters.columns;
  let row = group.y * columns;
  var sum = 0.0;
  for (var i = lane; i < columns; i += 64u) {
    sum += dot(x[row + i], x[row + i]);
  }
  squares[lane] = sum;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < 64u; i += 1u) {
    total += squares[i];
  }
  let scale = inverseSqrt(total / f32(4u * columns) + parameters.epsilon);
  for (var i = lane; i < columns; i += 64u) {
    out[row + i] = x[row + i] * scale * vectors[parameters.weight / 4u + i];
  }
}
