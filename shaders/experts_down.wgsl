// out[t, r] = Σₖ weight[t, k] · (down[e, r] · x[t · used + k] + bias[e, r]), or that added to what is there, e being t's k-th
// expert
//
// Decoding with a mixture of experts, after experts.wgsl. A row's experts are gone through one after the other, so that the
// sum is always the same. Rows of weights are shared among lanes as lanes.wgsl says. An arena that has only some of the
// experts adds those. Grid: (ceil(rows / rows of a workgroup), further tokens, tokens).

struct Parameters {
  units: u32,      // of a row; the last may reach beyond it
  columns: u32,    // fours of a row
  start: Place,    // of the weights of expert `first`
  norm: u32,       // 0: none
  bias: u32,       // where that expert's begins, plus 1; 0: none
  stride: u32,     // words of an expert
  first: u32,
  experts: u32,    // in this dispatch
  rows: u32,       // of an expert
  used: u32,       // experts a token
  accumulate: u32, // add to what is there
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [tokens, used, columns]
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;     // [experts, rows, units], packed
@group(0) @binding(2) var<storage, read> scales: array<u32>;            // the same memory
@group(0) @binding(3) var<storage, read> vectors: array<vec4<f32>>;     // biases
@group(0) @binding(4) var<storage, read> routes: array<vec2<f32>>;      // [tokens, used]: expert, weight
@group(0) @binding(5) var<storage, read_write> out: array<f32>;         // [tokens, rows]

/// Σₖ weight · bias
fn biases(token: u32, row: u32) -> f32 {
  var sum = 0.0;
  for (var k = 0u; k < parameters.used; k += 1u) {
    let route = routes[token * parameters.used + k];
    let expert = u32(route.x) - parameters.first;
    if (parameters.bias != 0u && expert < parameters.experts) {
      let at = parameters.bias - 1u + expert * parameters.rows + row;
      sum += route.y * vectors[at / 4u][at % 4u];
    }
  }
  return sum;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let token = group.y * groups.z + group.z;
  if (token >= batch.len) {
    return;
  }
  let row = (group.x * RUNS + local / LANES) * ROWS;
  // Rows beyond the matrix are computed as its last, and not written.
  let at = min(vec4<u32>(row) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(parameters.rows - 1u)) * parameters.units;
  var sums = vec4<f32>();
  for (var k = 0u; k < parameters.used; k += 1u) {
    let pair = token * parameters.used + k;
    // One before the first wraps around.
    let expert = u32(routes[pair].x) - parameters.first;
    if (expert < parameters.experts) {
      let start = of_expert(parameters.start, expert, parameters.stride);
      sums += routes[pair].y * lane_products(local, pair, pair, Rows(start, start, at)).sums[0];
    }
  }
  let total = fold(local, sums, 0.0).sums;
  if (local % LANES != 0u) {
    return;
  }
  for (var i = 0u; i < ROWS; i += 1u) {
    let r = row + i;
    if (r < parameters.rows) {
      let at = token * parameters.rows + r;
      out[at] = total[i] + biases(token, r) + select(0.0, out[at], parameters.accumulate != 0u);
    }
  }
}
