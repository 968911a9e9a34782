// out = x / √(mean x² + epsilon) · weight + bias, the mean being taken from x first where it is a LayerNorm
//
// Before products of many rows; matrix_vector.wgsl does RMSNorm itself. A workgroup has a row. Grid: (1, rows).

struct Parameters {
  columns: u32,  // fours of a row
  weight: u32,   // where the norm's weights begin
  bias: u32,     // where its bias begins, plus 1; 0: none
  epsilon: f32,
  centred: u32,  // LayerNorm
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [rows, width / 4]
@group(0) @binding(1) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;   // [rows, width / 4]

var<workgroup> parts: array<f32, 64>;

/// The sum of what the lanes have.
fn total(lane: u32, part: f32) -> f32 {
  workgroupBarrier();
  parts[lane] = part;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < 64u; i += 1u) {
    sum += parts[i];
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let columns = parameters.columns;
  let row = group.y * columns;
  var mean = 0.0;
  if (parameters.centred != 0u) {
    var sum = vec4<f32>();
    for (var i = lane; i < columns; i += 64u) {
      sum += x[row + i];
    }
    mean = total(lane, dot(sum, vec4<f32>(1.0))) / f32(4u * columns);
  }
  var squares = 0.0;
  for (var i = lane; i < columns; i += 64u) {
    let apart = x[row + i] - mean;
    squares += dot(apart, apart);
  }
  let scale = inverseSqrt(total(lane, squares) / f32(4u * columns) + parameters.epsilon);
  for (var i = lane; i < columns; i += 64u) {
    var value = (x[row + i] - mean) * scale * vectors[parameters.weight / 4u + i];
    if (parameters.bias != 0u) {
      value += vectors[(parameters.bias - 1u) / 4u + i];
    }
    out[row + i] = value;
  }
}
