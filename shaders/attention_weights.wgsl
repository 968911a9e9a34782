// out[h, q, k] = softmax_k(score(query[q, h] · key[k, h / group]))
//
// For looking at: the one kernel that writes the weights out. One sequence from its beginning; a workgroup has a query of
// a head. Grid: (rows, heads, further rows).

@group(0) @binding(0) var<storage, read> query: array<vec4<f32>>;           // [rows, heads, head_dim / 4]
@group(0) @binding(1) var<storage, read> key: array<vec4<f32>>;             // [rows, kv_heads, head_dim / 4]
@group(0) @binding(2) var<storage, read_write> out: array<f32>;             // [heads, rows, rows]
@group(0) @binding(3) var<storage, read> vectors: array<f32>;               // see score.wgsl

const FOURS = HEAD_DIM / 4u;
const THREADS = 64u;

var<workgroup> rest: array<f32, THREADS>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let rows = batch.len;
  let row = group.z * groups.x + group.x;
  if (row >= rows) {
    return;
  }
  let head = group.y;
  let kv_head = head / (parameters.heads / parameters.kv_heads);
  let at = (row * parameters.heads + head) * FOURS;
  let line = (head * rows + row) * rows;
  var best = first_maximum(head);
  for (var k = thread; k < rows; k += THREADS) {
    var made = LOWEST;
    if (k >= first_key(row) && k < end_key(row, rows)) {
      var product = 0.0;
      for (var d = 0u; d < FOURS; d += 1u) {
        product += dot(query[at + d], key[(k * parameters.kv_heads + kv_head) * FOURS + d]);
      }
      made = score(product, head, k, row);
    }
    out[line + k] = made;
    best = max(best, made);
  }
  rest[thread] = best;
  workgroupBarrier();
  for (var other = 0u; other < THREADS; other += 1u) {
    best = max(best, rest[other]);
  }
  workgroupBarrier();
  var total = 0.0;
  for (var k = thread; k < rows; k += THREADS) {
    let made = out[line + k];
    let weight = select(exp(made - best), 0.0, made == LOWEST);
    out[line + k] = weight;
    total += weight;
  }
  rest[thread] = total;
  workgroupBarrier();
  total = first_total(head, best);
  for (var i = 0u; i < THREADS; i += 1u) {
    total += rest[i];
  }
  for (var k = thread; k < rows; k += THREADS) {
    out[line + k] /= total;
  }
}
