// out[token, r] = activation(Σ_c weight[r, c] · norm(x)[token, c] + bias[r])
//
// Decoding: every weight is read once, so memory sets the pace. Rows are shared among lanes as lanes.wgsl says.
// RMSNorm costs no pass of its own: the sum of squares is taken along the way, and its root divides the result.
// GATED: the first matrix is a gate, out = activation(gate) · up. Up to three matrices (queries, keys and values) of one
// arena in one dispatch. Grid: (Σ ceil(rows / rows of a workgroup), further ones, tokens).

struct Segment {
  start: u32,    // of the weights, in words
  rows: u32,
  bias: u32,     // where it begins, plus 1; 0: none
  first: u32,    // its first row in the output
  stride: u32,   // rows of the output
  groups: u32,   // workgroups before it
  spare: vec2<u32>,
}

struct Parameters {
  units: u32,      // sixteens of a row; the last may reach beyond it
  columns: u32,    // fours of a row
  norm: u32,       // where the norm's weights begin, plus 1; 0: none
  epsilon: f32,
  accumulate: u32, // add to what is there
  activation: u32, // 0: none
  spares: vec2<u32>,
  segments: array<Segment, 3>,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [tokens, columns]
@group(0) @binding(1) var<storage, read> weights: array<u32>;           // [rows, 16 · units], packed
@group(0) @binding(2) var<storage, read> vectors: array<vec4<f32>>;     // norms and biases
@group(0) @binding(3) var<storage, read_write> out: array<f32>;         // [tokens, rows] of the first matrix
@group(0) @binding(4) var<storage, read_write> out_second: array<f32>;
@group(0) @binding(5) var<storage, read_write> out_third: array<f32>;

// In a gated product, half of the sums are the gate's.
const OUTPUTS = ROWS / (1u + GATED);

fn with_bias(value: f32, segment: u32, row: u32) -> f32 {
  let bias = parameters.segments[segment].bias;
  if (bias == 0u) {
    return value;
  }
  let at = bias - 1u + row;
  return value + vectors[at / 4u][at % 4u];
}

fn write(segment: u32, at: u32, value: f32) {
  let add = parameters.accumulate != 0u;
  switch segment {
    case 0u: { out[at] = value + select(0.0, out[at], add); }
    case 1u: { out_second[at] = value + select(0.0, out_second[at], add); }
    default: { out_third[at] = value + select(0.0, out_third[at], add); }
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = group.y * groups.x + group.x;
  var segment = 0u;
  if (GATED == 0u) {
    segment = select(0u, 1u, index >= parameters.segments[1].groups) + select(0u, 1u, index >= parameters.segments[2].groups);
  }
  let matrix = parameters.segments[segment];
  let lane = local % LANES;
  let run = local / LANES;
  let token = group.z;
  let row = ((index - matrix.groups) * RUNS + run) * OUTPUTS;
  // Rows beyond the matrix are computed as its last, and not written.
  var four = vec4<u32>(0u, 1u, 2u, 3u);
  var second = matrix.start;
  if (GATED != 0u) {
    four = vec4<u32>(0u, 1u, 0u, 1u);
    second = parameters.segments[1].start;
  }
  let rows = min(vec4<u32>(row) + four, vec4<u32>(matrix.rows - 1u)) * parameters.units;
  let starts = vec4<u32>(matrix.start, matrix.start, second, second);
  let sums = lane_products(token, lane, starts, rows);
  let folded = fold(local, sums.sums, sums.squares);
  if (lane != 0u) {
    return;
  }
  var total = folded.sums;
  if (parameters.norm != 0u) {
    total *= inverseSqrt(folded.squares / f32(4u * parameters.columns) + parameters.epsilon);
  }
  for (var i = 0u; i < OUTPUTS; i += 1u) {
    let r = row + i;
    if (r < matrix.rows) {
      var value = with_bias(total[i], segment, r);
      value = activated(value, parameters.activation);
      if (GATED != 0u) {
        value *= with_bias(total[i + 2u], 1u, r);
      }
      write(segment, token * matrix.stride + matrix.first + r, value);
    }
  }
}
