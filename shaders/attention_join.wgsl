// out[h] = Σ_s exp(maximum_s − maximum) · sum_s / Σ_s exp(maximum_s − maximum) · total_s
//
// Joins the splits of attention_one.wgsl. A workgroup has a head. Grid: (heads).

struct Parameters {
  heads: u32,
  splits: u32,
}

@group(0) @binding(0) var<storage, read> parts: array<vec4<f32>>;           // [heads, splits, head_dim / 4 + 1]
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;       // [rows, heads, head_dim / 4]

const FOURS = HEAD_DIM / 4u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let stride = FOURS + 1u;
  let first = group.x * parameters.splits * stride;
  var best = LOWEST;
  for (var split = 0u; split < parameters.splits; split += 1u) {
    best = max(best, parts[first + split * stride + FOURS].x);
  }
  for (var d = thread; d < FOURS; d += 64u) {
    var sum = vec4<f32>(0.0);
    var total = 0.0;
    for (var split = 0u; split < parameters.splits; split += 1u) {
      let part = first + split * stride;
      let fade = exp(parts[part + FOURS].x - best);
      sum += fade * parts[part + d];
      total += fade * parts[part + FOURS].y;
    }
    out[(batch.row * parameters.heads + group.x) * FOURS + d] = sum / total;
  }
}
