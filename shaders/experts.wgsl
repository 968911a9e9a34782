// out[p, r] = gating(gate[e, r] · norm(x)[p / used] + bias[e, r], up[e, r] · norm(x)[p / used] + bias[e, r])
//
// Decoding with a mixture of experts. p is a pair of a row and one of its experts, row · used + k, and e that expert: of all
// that there are, only what was routed to is read. Rows of weights are shared among lanes as lanes.wgsl says.
// GATED: gate and up lie in one arena, in one format. Else they take a dispatch each: the gate's products are written as
// they are, and gate those of up. An arena that has only some of the experts leaves the others' pairs alone.
// Grid: (ceil(rows / rows of a workgroup), further pairs, pairs).

struct Parameters {
  units: u32,      // of a row; the last may reach beyond it
  columns: u32,    // fours of a row
  norm: u32,       // where the norm's weights begin, plus 1; 0: none
  epsilon: f32,
  start: Place,    // of the weights of expert `first`
  second: Place,   // GATED: of those of up
  bias: u32,       // where that expert's begins, plus 1; 0: none
  second_bias: u32,
  stride: u32,     // words of an expert
  first: u32,
  experts: u32,    // in this dispatch
  rows: u32,       // of an expert
  used: u32,       // experts a row
  gates: u32,      // unless GATED. 0: write, 1: be gated by what is there
  gating: u32,
  limit: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [rows of the batch, columns]
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;     // [experts, rows, units], packed
@group(0) @binding(2) var<storage, read> scales: array<u32>;            // the same memory
@group(0) @binding(3) var<storage, read> vectors: array<vec4<f32>>;     // norms and biases
@group(0) @binding(4) var<storage, read> routes: array<vec2<f32>>;      // [pairs]: expert, weight
@group(0) @binding(5) var<storage, read_write> out: array<f32>;         // [pairs, rows]

const OUTPUTS = ROWS / (1u + GATED);

fn with_bias(value: f32, bias: u32, expert: u32, row: u32) -> f32 {
  if (bias == 0u) {
    return value;
  }
  let at = bias - 1u + expert * parameters.rows + row;
  return value + vectors[at / 4u][at % 4u];
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let pair = group.y * groups.z + group.z;
  if (pair >= batch.len) {
    return;
  }
  // One before the first wraps around.
  let expert = u32(routes[pair].x) - parameters.first;
  if (expert >= parameters.experts) {
    return;
  }
  let row = (group.x * RUNS + local / LANES) * OUTPUTS;
  var four = vec4<u32>(0u, 1u, 2u, 3u);
  var second = parameters.start;
  if (GATED != 0u) {
    four = vec4<u32>(0u, 1u, 0u, 1u);
    second = parameters.second;
  }
  // Rows beyond the matrix are computed as its last, and not written.
  let at = min(vec4<u32>(row) + four, vec4<u32>(parameters.rows - 1u)) * parameters.units;
  let x_row = pair / parameters.used;
  let rows = Rows(of_expert(parameters.start, expert, parameters.stride), of_expert(second, expert, parameters.stride), at);
  let folded = fold_parts(local, lane_products(local, x_row, x_row, rows), 0u);
  if (local % LANES != 0u) {
    return;
  }
  var total = folded.sums;
  if (parameters.norm != 0u) {
    total *= inverseSqrt(folded.squares / f32(4u * parameters.columns) + parameters.epsilon);
  }
  for (var i = 0u; i < OUTPUTS; i += 1u) {
    let r = row + i;
    if (r < parameters.rows) {
      let at = pair * parameters.rows + r;
      var value = with_bias(total[i], parameters.bias, expert, r);
      if (GATED != 0u) {
        value = gated(value, with_bias(total[i + 2u], parameters.second_bias, expert, r));
      } else if (parameters.gates != 0u) {
        value = gated(out[at], value);
      }
      out[at] = value;
    }
  }
}
