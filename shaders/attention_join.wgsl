// out[h] = Σ_s exp(maximum_s − maximum) · sum_s / Σ_s exp(maximum_s − maximum) · total_s
//
// Joins the splits of attention_one.wgsl. A workgroup has a head of a span. Grid: (heads, spans of one row).

struct Parameters {
  heads: u32,
  splits: u32,
  places: u32,     // where the spans' begin: see places.wgsl
}

@group(0) @binding(0) var<storage, read> parts: array<vec4<f32>>;           // [spans, heads, splits, head_dim / 4 + 1]
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;       // [rows, heads, head_dim / 4]
@group(0) @binding(2) var<storage, read> places: array<u32>;

const FOURS = HEAD_DIM / 4u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let stride = FOURS + 1u;
  let span = span_at(places[parameters.places + 1u] + group.y);
  let first = (group.y * parameters.heads + group.x) * parameters.splits * stride;
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
    // A query that has seen no key has nothing.
    out[(span.row * parameters.heads + group.x) * FOURS + d] = sum / select(total, 1.0, total == 0.0);
  }
}
