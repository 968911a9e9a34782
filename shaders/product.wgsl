// Before the products of many rows: up to three matrices of one arena, and what becomes of a sum.

struct Segment {
  start: Place,  // of the weights
  rows: u32,
  bias: u32,     // where it begins, plus 1; 0: none
  first: u32,    // its first row in the output
  stride: u32,   // rows of the output
  groups: u32,   // workgroups before it, of a token
  scale: u32,    // where LayerScale's factors begin, plus 1; 0: none
}

struct Parameters {
  units: u32,       // of a row; the last may reach beyond it
  columns: u32,     // fours of a row
  spare: vec2<u32>,
  segments: array<Segment, 3>,
}

@group(0) @binding(5) var<storage, read_write> out_second: array<f32>;
@group(0) @binding(6) var<storage, read_write> out_third: array<f32>;

/// Which of the matrices, and what there is to know of it.
var<private> segment: u32;
var<private> matrix: Segment;

/// Whether anything is to be done for the tile that begins with a token, in a workgroup of a row of them.
fn begin_tile(group: u32, token: u32) -> bool {
  matrix = parameters.segments[0];
  if (OUTS == 3u) {
    segment = select(0u, 1u, group >= parameters.segments[1].groups) + select(0u, 1u, group >= parameters.segments[2].groups);
    matrix = parameters.segments[segment];
  }
  return token < batch.len;
}

/// Workgroups of the same matrix before one.
fn groups_before(group: u32) -> u32 {
  return group - matrix.groups;
}

fn weights_start() -> Place {
  return matrix.start;
}

/// Of the matrix that a gate gates.
fn second_start() -> Place {
  return parameters.segments[1].start;
}

fn matrix_rows() -> u32 {
  return matrix.rows;
}

/// The row of the input that a token reads. Tokens beyond the batch are computed as its last, and not written.
fn input_row(token: u32) -> u32 {
  return min(token, batch.len - 1u);
}

/// A sum with a bias of its row, where there is one.
fn with_bias(row: u32, sum: f32, bias: u32) -> f32 {
  if (bias == 0u) {
    return sum;
  }
  return sum + vectors[bias - 1u + row];
}

/// Writes one sum; what lies beyond the matrix or the batch is nobody's.
fn write(token: u32, row: u32, sum: f32) {
  if (token < batch.len && row < matrix.rows) {
    var value = with_bias(row, sum, matrix.bias);
    if (matrix.scale != 0u) {
      value *= vectors[matrix.scale - 1u + row];
    }
    put(segment, token * matrix.stride + matrix.first + row, value);
  }
}

/// Writes a product of the second matrix, gated by one of the first: both are whole, and without a factor.
fn write_gated(token: u32, row: u32, gate: f32, sum: f32) {
  if (token < batch.len && row < matrix.rows) {
    let gating = activated(with_bias(row, gate, matrix.bias), ACTIVATION);
    out[token * matrix.rows + row] = with_bias(row, sum, parameters.segments[1].bias) * gating;
  }
}
