// query, key = rotate(norm(query, key)); the pool's keys and values = key, value
//
// A workgroup has one head of one row: a query head, a key head or a value head. NORMED: RMSNorm of each head first.
// Rotary positions: pair i of the leading dimensions turns by the row's i-th angle; its halves lie half of those
// dimensions apart, or beside each other (INTERLEAVED). Grid: (heads + 2 · kv_heads, rows, further ones).

struct Parameters {
  heads: u32,        // 0: queries stay as they are
  kv_heads: u32,
  pairs: u32,        // that turn
  query_norm: u32,   // where the norms' weights begin
  key_norm: u32,
  epsilon: f32,
  turn: u32,         // the first of their angles in a row's
  angles: u32,       // of a row: those of all turns
  places: u32,       // where the rows' begin: see places.wgsl
  long: u32,         // only rows of spans of several: the others come with their attention
}

@group(0) @binding(0) var<storage, read_write> query: array<f32>;           // [rows, heads, head_dim]
@group(0) @binding(1) var<storage, read_write> key: array<f32>;             // [rows, kv_heads, head_dim]
@group(0) @binding(2) var<storage, read> value: array<f32>;                 // [rows, kv_heads, head_dim]
@group(0) @binding(3) var<storage, read> rotations: array<vec2<f32>>;       // [rows, angles]: cos, sin
@group(0) @binding(4) var<storage, read> vectors: array<f32>;
@group(0) @binding(5) var<storage, read_write> keys: array<u32>;            // [pages, PAGE, kv_heads, head], packed
@group(0) @binding(6) var<storage, read_write> values: array<u32>;          // likewise
@group(0) @binding(7) var<storage, read> places: array<u32>;

const THREADS = 64u;
const KEPT = 1u;

var<workgroup> head: array<f32, HEAD_DIM>;
var<workgroup> squares: array<f32, THREADS>;

/// Of the head that is kept.
fn head_value(i: u32) -> f32 {
  return head[i];
}

fn norm_head(thread: u32, weight: u32) {
  var sum = 0.0;
  for (var i = thread; i < HEAD_DIM; i += THREADS) {
    sum += head[i] * head[i];
  }
  squares[thread] = sum;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < THREADS; i += 1u) {
    total += squares[i];
  }
  let scale = inverseSqrt(total / f32(HEAD_DIM) + parameters.epsilon);
  for (var i = thread; i < HEAD_DIM; i += THREADS) {
    head[i] *= scale * vectors[weight + i];
  }
  workgroupBarrier();
}

fn rotate_head(thread: u32, row: u32) {
  let pairs = parameters.pairs;
  for (var pair = thread; pair < pairs; pair += THREADS) {
    let i = select(pair, 2u * pair, INTERLEAVED != 0u);
    let j = select(pair + pairs, 2u * pair + 1u, INTERLEAVED != 0u);
    let turn = rotations[row * parameters.angles + parameters.turn + pair];
    let a = head[i];
    let b = head[j];
    head[i] = a * turn.x - b * turn.y;
    head[j] = a * turn.y + b * turn.x;
  }
  workgroupBarrier();
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.z * groups.y + group.y;
  if (row >= places[parameters.places] || (parameters.long != 0u && span_of_row(row).len == 1u)) {
    return;
  }
  let is_query = group.x < parameters.heads;
  let is_key = !is_query && group.x < parameters.heads + parameters.kv_heads;
  let kv_head = (group.x - parameters.heads) % parameters.kv_heads;
  let at = HEAD_DIM * select(row * parameters.kv_heads + kv_head, row * parameters.heads + group.x, is_query);
  for (var i = thread; i < HEAD_DIM; i += THREADS) {
    if (is_query) {
      head[i] = query[at + i];
    } else if (is_key) {
      head[i] = key[at + i];
    } else {
      head[i] = value[at + i];
    }
  }
  workgroupBarrier();
  if (is_query || is_key) {
    if (NORMED != 0u) {
      norm_head(thread, select(parameters.key_norm, parameters.query_norm, is_query));
    }
    rotate_head(thread, row);
  }
  if (is_query) {
    for (var i = thread; i < HEAD_DIM; i += THREADS) {
      query[at + i] = head[i];
    }
    return;
  }
  settle(thread);
  workgroupBarrier();
  let place = (places[parameters.places + HEADER + row] * parameters.kv_heads + kv_head) * HEAD_WORDS;
  for (var word = thread; word < HEAD_WORDS; word += THREADS) {
    if (is_key) {
      keys[place + word] = packed(0u, word);
    } else {
      values[place + word] = packed(0u, word);
    }
  }
  if (is_key) {
    for (var i = thread; i < HEAD_DIM; i += THREADS) {
      key[at + i] = head[i];
    }
  }
}
