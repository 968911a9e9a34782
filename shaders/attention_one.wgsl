// out[h] = Σ_k softmax_k(score(query[h] · key[k, h / group])) · value[k, h / group], for spans of one query
//
// Decoding. A few heads cannot fill a GPU, so the keys are split: a workgroup has one head and SPLIT keys. Where one
// split has all keys it writes the result; else its sum, maximum and total go to attention_join.wgsl.
// Grid: (the most splits of a span, heads, spans of one row).

@group(0) @binding(0) var<storage, read> query: array<vec4<f32>>;           // [rows, heads, head_dim / 4]
@group(0) @binding(1) var<storage, read> keys: array<u32>;                  // [pages, PAGE, kv_heads, head], packed
@group(0) @binding(2) var<storage, read> values: array<u32>;                // likewise
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;       // as query
@group(0) @binding(4) var<storage, read_write> parts: array<vec4<f32>>;     // [spans, heads, splits, head_dim / 4 + 1]
@group(0) @binding(5) var<storage, read> vectors: array<f32>;               // see score.wgsl
@group(0) @binding(6) var<storage, read> places: array<u32>;

const SPLIT = 256u;
const THREADS = 64u;
const FOURS = HEAD_DIM / 4u;
const SLICES = max(THREADS / FOURS, 1u);    // of the keys, for the sums of values

var<workgroup> scores: array<f32, SPLIT>;
var<workgroup> kept: array<u32, SPLIT>;     // where the keys are
var<workgroup> rest: array<f32, THREADS>;
var<workgroup> sums: array<vec4<f32>, SLICES * FOURS>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let head = group.y;
  let kv_head = head / (parameters.heads / parameters.kv_heads);
  let span = span_at(places[parameters.places + 1u] + group.z);
  let end = end_key(span.position, span.keys);
  let first = first_key(span.position) + group.x * SPLIT;
  let count = min(max(first, end) - first, SPLIT);
  let at = (span.row * parameters.heads + head) * FOURS;

  // The first split has the sink.
  var best = LOWEST;
  if (group.x == 0u) {
    best = first_maximum(head);
  }
  for (var i = thread; i < count; i += THREADS) {
    kept[i] = (kept_at(span.pages, first + i) * parameters.kv_heads + kv_head) * HEAD_WORDS;
    let key = kept[i];
    var product = 0.0;
    for (var d = 0u; d < FOURS; d += 1u) {
      product += dot(query[at + d], key_four(key, d));
    }
    scores[i] = score(product, head, first + i, span.position);
    best = max(best, scores[i]);
  }
  rest[thread] = best;
  workgroupBarrier();
  for (var other = 0u; other < THREADS; other += 1u) {
    best = max(best, rest[other]);
  }
  workgroupBarrier();
  var total = 0.0;
  for (var i = thread; i < count; i += THREADS) {
    let weight = exp(scores[i] - best);
    scores[i] = weight;
    total += weight;
  }
  rest[thread] = total;
  workgroupBarrier();
  total = 0.0;
  if (group.x == 0u) {
    total = first_total(head, best);
  }
  for (var i = 0u; i < THREADS; i += 1u) {
    total += rest[i];
  }

  for (var part = thread; part < SLICES * FOURS; part += THREADS) {
    var sum = vec4<f32>(0.0);
    for (var i = part / FOURS; i < count; i += SLICES) {
      sum += scores[i] * value_four(kept[i], part % FOURS);
    }
    sums[part] = sum;
  }
  workgroupBarrier();
  let part = ((group.z * groups.y + head) * groups.x + group.x) * (FOURS + 1u);
  for (var d = thread; d < FOURS; d += THREADS) {
    var sum = sums[d];
    for (var slice = 1u; slice < SLICES; slice += 1u) {
      sum += sums[slice * FOURS + d];
    }
    if (groups.x == 1u) {
      // Where it has seen no key it has nothing.
      out[at + d] = sum / select(total, 1.0, total == 0.0);
    } else {
      parts[part + d] = sum;
    }
  }
  if (thread == 0u && groups.x > 1u) {
    parts[part + FOURS] = vec4<f32>(best, total, 0.0, 0.0);
  }
}
