// out[h] = Σ_k softmax_k(score(query[h] · key[k, h / group])) · value[k, h / group], for spans of one query
//
// Decoding. A workgroup has a KV head, up to HEADS of its query heads, and a split of the keys, which goes through TILE at
// a time with a running maximum and sum. LANES neighbours share a key, so that they read what lies side by side; what they
// have comes together in workgroup memory. Where one split has all keys it writes the result; else its sum, maximum and
// total go to attention_join.wgsl. How keys are split goes by their number alone: what a sequence gets does not depend on
// its neighbours. Grid: (the most splits of a span, workgroups of a KV head · kv_heads, spans of one row).
//
// Of attention_seen.wgsl (keys are all kept) or attention_step.wgsl (the query's own key comes with it). By arithmetic,
// 9 query heads of 64 and 3 KV heads of halves, 200 keys, one layer:
//
//                                                  workgroups  threads  keys read   a load's lines   waits    about
//   one query head, a key a thread                      9        64      3 times    32, of 4 bytes   ~64      20 µs
//   one KV head, 8 lanes a key, tiles of 64 (this)      3       128      once        8, of 16         ~4 · 5   6 µs
//
// SERIAL: on processors, where a look into memory costs most and a barrier costs as much as thousands of operations, a
// thread has a whole key, and 256 keys pass between barriers.

/// Writes what the slices come to: `count` heads from `head` on.
fn finish(thread: u32, group: vec3<u32>, splits: u32, row: u32, head: u32, count: u32, sunk: vec4<f32>) {
  workgroupBarrier();
  for (var h = 0u; h < HEADS; h += 1u) {
    products[thread * HEADS + h] = sums[h];
  }
  if (thread < min(TILE, THREADS)) {
    scores[thread] = total;
  }
  workgroupBarrier();
  var whole = sunk;
  for (var i = 0u; i < min(TILE, THREADS); i += 1u) {
    whole += scores[i];
  }
  for (var i = thread; i < count * FOURS; i += THREADS) {
    let h = i / FOURS;
    var sum = products[(i % FOURS) * HEADS + h];
    for (var slice = 1u; slice < SLICES; slice += 1u) {
      sum += products[(slice * FOURS + i % FOURS) * HEADS + h];
    }
    if (splits == 1u) {
      // Where it has seen no key it has nothing.
      out[(row * parameters.heads + head) * FOURS + i] = sum / select(whole[h], 1.0, whole[h] == 0.0);
    } else {
      let part = ((group.z * parameters.heads + head + h) * splits + group.x) * (FOURS + 1u);
      out[part + i % FOURS] = sum;
      out[part + FOURS] = vec4<f32>(best[h], whole[h], 0.0, 0.0);
    }
  }
}

/// How many of so many keys each split has, of which every one takes that many workgroups: see `splits` of
/// src/device/gpu/attention.rs.
fn keys_of_split(keys: u32, groups: u32) -> u32 {
  if (keys <= FEW) {
    return FEW;
  }
  let tiles = (keys + TILE - 1u) / TILE;
  return (tiles * groups + WANTED - 1u) / WANTED * TILE;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let shared_by = parameters.heads / parameters.kv_heads;
  let each_kv_head = (shared_by + HEADS - 1u) / HEADS;
  let kv_head = group.y / each_kv_head;
  let head = kv_head * shared_by + group.y % each_kv_head * HEADS;
  let last = min(head + HEADS, (kv_head + 1u) * shared_by) - 1u;
  let span = span_at(places[parameters.places + 1u] + group.z);
  let start = first_key(span.position);
  let keys_seen = max(end_key(span.position, span.keys), start) - start;
  let each = keys_of_split(keys_seen, groups.y);
  let from_key = start + min(group.x * each, keys_seen);
  let to_key = min(from_key + each, start + keys_seen);

  load_queries(thread, span, group.z, kv_head, head, last);
  if (group.y % each_kv_head == 0u && from_key <= span.position && span.position < to_key) {
    keep(thread, span, kv_head);
  }
  let has_sinks = group.x == 0u;
  best = vec4<f32>(LOWEST);
  if (has_sinks) {
    for (var h = 0u; h < HEADS; h += 1u) {
      best[h] = first_maximum(min(head + h, last));
    }
  }
  for (var first = from_key; first < to_key; first += TILE) {
    let count = min(to_key - first, TILE);
    multiply(thread, span, kv_head, first, count);
    workgroupBarrier();
    score_tile(thread, span, kv_head, first, count, head, last);
    workgroupBarrier();
    weigh(thread, count);
    workgroupBarrier();
    mix(thread, count);
  }
  var sunk = vec4<f32>();
  if (has_sinks) {
    for (var h = 0u; h < HEADS; h += 1u) {
      sunk[h] = first_total(min(head + h, last), best[h]);
    }
  }
  finish(thread, group, groups.x, span.row, head, last - head + 1u, sunk);
}
