// out = x / √(mean x² + epsilon) · weight + bias, the mean being taken from x first where it is a LayerNorm; or that added
// to what is there
//
// Before products of many rows (matrix_vector.wgsl does RMSNorm itself), and after branches. LANES lanes have a row: total_whole.wgsl or
// total_shared.wgsl adds up what they have. Grid: (1, ceil(rows / (THREADS / LANES)), further ones).

struct Parameters {
  columns: u32,  // fours of a row
  weight: u32,   // where the norm's weights begin, plus 1; 0: there is no norm
  bias: u32,     // where its bias begins, plus 1; 0: none
  epsilon: f32,
  centred: u32,  // LayerNorm
  rows: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [rows, width / 4]
@group(0) @binding(1) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;   // [rows, width / 4]

const THREADS = max(64u, LANES);

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let columns = parameters.columns;
  let lane = local % LANES;
  let index = (group.z * groups.y + group.y) * (THREADS / LANES) + local / LANES;
  // Rows beyond the last are computed as that, and not written.
  let row = min(index, parameters.rows - 1u) * columns;
  // All lanes go round as often, so that they are together where they add up.
  var mean = 0.0;
  if (parameters.centred != 0u) {
    var sum = vec4<f32>();
    for (var first = 0u; first < columns; first += LANES) {
      if (first + lane < columns) {
        sum += x[row + first + lane];
      }
    }
    mean = total(local, dot(sum, vec4<f32>(1.0))) / f32(4u * columns);
  }
  var squares = 0.0;
  for (var first = 0u; first < columns; first += LANES) {
    if (first + lane < columns) {
      let apart = x[row + first + lane] - mean;
      squares += dot(apart, apart);
    }
  }
  let scale = inverseSqrt(total(local, squares) / f32(4u * columns) + parameters.epsilon);
  if (index >= parameters.rows) {
    return;
  }
  for (var i = lane; i < columns; i += LANES) {
    var value = x[row + i];
    if (parameters.weight != 0u) {
      value = (value - mean) * scale * vectors[(parameters.weight - 1u) / 4u + i];
    }
    if (parameters.bias != 0u) {
      value += vectors[(parameters.bias - 1u) / 4u + i];
    }
    if (parameters.accumulate != 0u) {
      value += out[row + i];
    }
    out[row + i] = value;
  }
}
