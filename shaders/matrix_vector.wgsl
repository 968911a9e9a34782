// out[token, r] = activation(Σ_c weight[r, c] · norm(x)[token, c] + bias[r])
//
// Decoding: every weight is read once, so memory sets the pace. Rows are shared among lanes as lanes.wgsl says.
// RMSNorm costs no pass of its own: the sum of squares is taken along the way, and its root divides the result.
// GATED: the first matrix is a gate, out = activation(gate) · up. Up to three matrices (queries, keys and values) of one
// arena in one dispatch. Grid: (Σ ceil(rows / rows of a workgroup), further ones, ceil(tokens / TOKENS)).
//
// By arithmetic, in Q4_0. Before, a lane's fetches had 4 bytes, each word of nibbles was fetched by two lanes, and a norm's
// inputs and weights came twice as many bytes as the weights for every 8 rows; the file's 18 bytes lay in 20:
//
//                                        bytes of a fetch   on their way        workgroups · threads, 4096 × 4096 and 576²
//   before                                4, half of use     16 of 4 a lane      512 · 64       72 · 64
//   planes, 64 or 32 lanes a row (this)   16                 4 of 16 a lane      512 · 128      36 · 128
//
// 65,536 threads with 64 bytes each are 4 MB: an H200 needs 3 on their way to be at its 4.3 TB/s. Small matrices wait all
// the same. Not measured on a GPU. On SwiftShader a step takes as long as before.

struct Segment {
  start: Place,  // of the weights
  rows: u32,
  bias: u32,     // where it begins, plus 1; 0: none
  first: u32,    // its first row in the output
  stride: u32,   // rows of the output
  groups: u32,   // workgroups before it
  spare: u32,
}

struct Parameters {
  units: u32,      // of a row; the last may reach beyond it
  columns: u32,    // fours of a row
  norm: u32,       // where the norm's weights begin, plus 1; 0: none
  epsilon: f32,
  tokens: u32,
  spare: u32,
  spares: vec2<u32>,
  segments: array<Segment, 3>,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [tokens, columns]
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;     // [rows, units], packed
@group(0) @binding(2) var<storage, read> scales: array<u32>;            // the same memory
@group(0) @binding(3) var<storage, read> vectors: array<vec4<f32>>;     // norms and biases
@group(0) @binding(4) var<storage, read_write> out: array<f32>;         // [tokens, rows] of the first matrix
@group(0) @binding(5) var<storage, read_write> out_second: array<f32>;
@group(0) @binding(6) var<storage, read_write> out_third: array<f32>;

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

/// What becomes of a token's sums with the rows from `row` on of a segment.
fn write_rows(segment: u32, row: u32, token: u32, folded: Folded) {
  var total = folded.sums;
  if (parameters.norm != 0u) {
    total *= inverseSqrt(folded.squares / f32(4u * parameters.columns) + parameters.epsilon);
  }
  let matrix = parameters.segments[segment];
  for (var i = 0u; i < OUTPUTS; i += 1u) {
    let r = row + i;
    if (r < matrix.rows && token < parameters.tokens) {
      let value = with_bias(total[i], segment, r);
      let at = token * matrix.stride + matrix.first + r;
      if (GATED != 0u) {
        out[at] = activated(value, ACTIVATION) * with_bias(total[i + 2u], 1u, r);
      } else {
        put(segment, at, value);
      }
    }
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
  if (OUTS == 3u) {
    segment = select(0u, 1u, index >= parameters.segments[1].groups) + select(0u, 1u, index >= parameters.segments[2].groups);
  }
  let matrix = parameters.segments[segment];
  let row = ((index - matrix.groups) * RUNS + local / LANES) * OUTPUTS;
  // Rows beyond the matrix are computed as its last, and not written; so are tokens.
  var four = vec4<u32>(0u, 1u, 2u, 3u);
  var second = matrix.start;
  if (GATED != 0u) {
    four = vec4<u32>(0u, 1u, 0u, 1u);
    second = parameters.segments[1].start;
  }
  let at = min(vec4<u32>(row) + four, vec4<u32>(matrix.rows - 1u)) * parameters.units;
  let token = TOKENS * group.z;
  let parts = lane_products(local, token, parameters.tokens - 1u, Rows(matrix.start, second, at));
  for (var i = 0u; i < TOKENS; i += 1u) {
    let folded = fold_parts(local, parts, i);
    if (local % LANES == 0u) {
      write_rows(segment, row, token + i, folded);
    }
  }
}
