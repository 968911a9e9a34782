// out[q, h] = Σ_k softmax_k(score(query[q, h] · key[k, h / group])) · value[k, h / group]
//
// Prompts and images: FlashAttention. A workgroup has one KV head and QUERIES rows, a row being a position and a query head of the
// group, so that a tile of KEYS keys, and then of values, serves the whole group from workgroup memory. Maximum and sum
// run along, so the scores never exist. A thread has 2 rows and KEYS / 8 keys, then every eighth four of the output.
// Tiles that the mask hides are not visited. All spans of several rows: a span's tiles begin at the whole tiles of those
// before it, and one more for each. Grid: (floor(rows · group / QUERIES) + spans, kv_heads, further ones of the first).

@group(0) @binding(0) var<storage, read> query: array<vec4<f32>>;           // [rows, heads, head_dim / 4]
@group(0) @binding(1) var<storage, read> keys: array<u32>;                  // [pages, PAGE, kv_heads, head], packed
@group(0) @binding(2) var<storage, read> values: array<u32>;                // likewise
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;       // as query
@group(0) @binding(4) var<storage, read> vectors: array<f32>;               // see score.wgsl
@group(0) @binding(5) var<storage, read> places: array<u32>;

const QUERIES = 16u;
const FOURS = HEAD_DIM / 4u;
const KEYS = clamp(8192u / (HEAD_DIM * REAL_BYTES) / 8u * 8u, 8u, 32u);     // what half of 16 KiB holds
const KEYS_EACH = KEYS / 8u;
const FOURS_EACH = (FOURS + 7u) / 8u;

var<workgroup> tile: array<vec4<real>, KEYS * FOURS>;     // keys [head_dim / 4, KEYS], then values [KEYS, head_dim / 4]
var<workgroup> weights: array<f32, QUERIES * KEYS>;
var<workgroup> maxima: array<f32, QUERIES * 8u>;

fn load_keys(thread: u32, pages: u32, first: u32, last: u32, head: u32) {
  for (var i = thread; i < KEYS * FOURS; i += 64u) {
    let key = kept_at(pages, min(first + i / FOURS, last));
    tile[(i % FOURS) * KEYS + i / FOURS] = vec4<real>(key_four((key * parameters.kv_heads + head) * HEAD_WORDS, i % FOURS));
  }
}

fn load_values(thread: u32, pages: u32, first: u32, last: u32, head: u32) {
  for (var i = thread; i < KEYS * FOURS; i += 64u) {
    let key = kept_at(pages, min(first + i / FOURS, last));
    tile[i] = vec4<real>(value_four((key * parameters.kv_heads + head) * HEAD_WORDS, i % FOURS));
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let kv_head = group.y;
  let shared_by = parameters.heads / parameters.kv_heads;
  let tile_number = group.z * groups.x + group.x;
  let index = span_of(tile_number, shared_by, QUERIES);
  let span = span_at(index);
  let first_row = (tile_number - first_tile(index, shared_by, QUERIES)) * QUERIES;
  if (first_row >= span.len * shared_by) {
    return;
  }
  let last_row = min(first_row + QUERIES, span.len * shared_by) - 1u;
  // What the first of the queries sees first, and the last one last.
  let start = first_key(span.position + first_row / shared_by);
  let end = end_key(span.position + last_row / shared_by, span.keys);

  let pair = thread / 8u;
  let part = thread % 8u;
  var position: vec2<u32>;
  var head: vec2<u32>;
  var at: vec2<u32>;
  for (var i = 0u; i < 2u; i += 1u) {
    let row = min(first_row + 2u * pair + i, last_row);
    let token = span.row + row / shared_by;
    position[i] = span.position + row / shared_by;
    head[i] = kv_head * shared_by + row % shared_by;
    at[i] = (token * parameters.heads + head[i]) * FOURS;
  }
  let seen_from = vec2<u32>(first_key(position.x), first_key(position.y));
  let seen_to = vec2<u32>(end_key(position.x, span.keys), end_key(position.y, span.keys));
  var sums: array<array<vec4<f32>, FOURS_EACH>, 2>;
  var maximum = vec2<f32>(first_maximum(head.x), first_maximum(head.y));
  // One of those that share a row has its sink.
  let sink = vec2<f32>(first_total(head.x, maximum.x), first_total(head.y, maximum.y));
  var total = select(vec2<f32>(0.0), sink, part == 0u);
  for (var first = start; first < end; first += KEYS) {
    load_keys(thread, span.pages, first, end - 1u, kv_head);
    workgroupBarrier();
    var scores = array<vec2<f32>, KEYS_EACH>();
    for (var d = 0u; d < FOURS; d += 1u) {
      let q0 = query[at[0] + d];
      let q1 = query[at[1] + d];
      for (var j = 0u; j < KEYS_EACH; j += 1u) {
        let k = vec4<f32>(tile[d * KEYS + part + 8u * j]);
        scores[j] += vec2<f32>(dot(q0, k), dot(q1, k));
      }
    }
    var best = vec2<f32>(LOWEST);
    for (var j = 0u; j < KEYS_EACH; j += 1u) {
      let key = first + part + 8u * j;
      let seen = (vec2<u32>(key) >= seen_from) & (vec2<u32>(key) < seen_to);
      let made = vec2<f32>(score(scores[j].x, head.x, key, position.x), score(scores[j].y, head.y, key, position.y));
      scores[j] = select(vec2<f32>(LOWEST), made, seen);
      best = max(best, scores[j]);
    }
    maxima[16u * pair + part] = best.x;
    maxima[16u * pair + 8u + part] = best.y;
    workgroupBarrier();
    best = maximum;
    for (var i = 0u; i < 8u; i += 1u) {
      best = max(best, vec2<f32>(maxima[16u * pair + i], maxima[16u * pair + 8u + i]));
    }
    let fade = exp(maximum - best);
    maximum = best;
    total *= fade;
    for (var j = 0u; j < KEYS_EACH; j += 1u) {
      // A row that has seen no key yet has the lowest maximum of all.
      let weight = select(exp(scores[j] - best), vec2<f32>(0.0), scores[j] == vec2<f32>(LOWEST));
      total += weight;
      weights[2u * pair * KEYS + part + 8u * j] = weight.x;
      weights[(2u * pair + 1u) * KEYS + part + 8u * j] = weight.y;
    }
    load_values(thread, span.pages, first, end - 1u, kv_head);
    workgroupBarrier();
    for (var n = 0u; n < FOURS_EACH; n += 1u) {
      sums[0][n] *= fade.x;
      sums[1][n] *= fade.y;
    }
    for (var k = 0u; k < KEYS; k += 1u) {
      let w0 = weights[2u * pair * KEYS + k];
      let w1 = weights[(2u * pair + 1u) * KEYS + k];
      for (var n = 0u; n < FOURS_EACH; n += 1u) {
        let value = vec4<f32>(tile[k * FOURS + min(part + 8u * n, FOURS - 1u)]);
        sums[0][n] += w0 * value;
        sums[1][n] += w1 * value;
      }
    }
    workgroupBarrier();
  }
  maxima[16u * pair + part] = total.x;
  maxima[16u * pair + 8u + part] = total.y;
  workgroupBarrier();
  total = vec2<f32>(0.0);
  for (var i = 0u; i < 8u; i += 1u) {
    total += vec2<f32>(maxima[16u * pair + i], maxima[16u * pair + 8u + i]);
  }
  for (var row = 0u; row < 2u; row += 1u) {
    for (var four = 0u; four < FOURS_EACH; four += 1u) {
      let d = part + 8u * four;
      if (d < FOURS && first_row + 2u * pair + row <= last_row) {
        // A row that has seen no key has nothing.
        out[at[row] + d] = sums[row][four] / select(total[row], 1.0, total[row] == 0.0);
      }
    }
  }
}
