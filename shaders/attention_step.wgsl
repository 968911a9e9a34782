// Before attention_one.wgsl: rows that continue their sequences. What heads.wgsl does of many rows is done here of one:
// query, key = rotate(norm(query, key)); the pool's keys and values = key, value
//
// Each workgroup norms and turns its own queries, and the new key, which stands before the dispatch nowhere else; the one
// whose split has it puts it into the pool. Nobody looks for it there: it is read as the pool will give it back.

@group(0) @binding(0) var<storage, read> query: array<f32>;                 // [rows, heads, head_dim]
@group(0) @binding(1) var<storage, read> key: array<f32>;                   // [rows, kv_heads, head_dim]
@group(0) @binding(2) var<storage, read> value: array<f32>;                 // likewise
@group(0) @binding(3) var<storage, read_write> keys: array<u32>;            // [pages, PAGE, kv_heads, head], packed
@group(0) @binding(4) var<storage, read_write> values: array<u32>;          // likewise
@group(0) @binding(5) var<storage, read_write> out: array<vec4<f32>>;       // [rows, heads, head_dim / 4], or [spans, heads, splits, head_dim / 4 + 1]
@group(0) @binding(6) var<storage, read> vectors: array<f32>;               // see score.wgsl; norms' weights
@group(0) @binding(7) var<storage, read> places: array<u32>;                // also the spans' angles, [spans, angles]: cos, sin

const KEPT = 2u;                            // heads that are kept: the key, the value
const ALL = KEPT + HEADS;
const OWN = 0xffffffffu;                    // in place of where the span's own key is
const SQUARERS = THREADS / ALL;             // threads that square a head's values

var<workgroup> head_values: array<f32, ALL * HEAD_DIM>;
var<workgroup> squares: array<f32, ALL * SQUARERS>;
var<workgroup> roots: array<f32, ALL>;
var<workgroup> queries: array<vec4<f32>, HEADS * FOURS>;

/// Of the heads that are kept.
fn head_value(i: u32) -> f32 {
  return head_values[i];
}

/// RMSNorms of all heads but the value.
fn norm_heads(thread: u32) {
  if (thread < ALL * SQUARERS) {
    var sum = 0.0;
    for (var i = thread % SQUARERS; i < HEAD_DIM; i += SQUARERS) {
      let value = head_values[thread / SQUARERS * HEAD_DIM + i];
      sum += value * value;
    }
    squares[thread] = sum;
  }
  workgroupBarrier();
  if (thread < ALL) {
    var sum = 0.0;
    for (var i = 0u; i < SQUARERS; i += 1u) {
      sum += squares[thread * SQUARERS + i];
    }
    roots[thread] = inverseSqrt(sum / f32(HEAD_DIM) + parameters.epsilon);
  }
  workgroupBarrier();
  for (var i = thread; i < ALL * HEAD_DIM; i += THREADS) {
    let number = i / HEAD_DIM;
    if (number != 1u) {
      let norm = select(parameters.query_norm, parameters.key_norm, number == 0u);
      head_values[i] *= roots[number] * vectors[norm - 1u + i % HEAD_DIM];
    }
  }
  workgroupBarrier();
}

/// Turns all heads but the value. `angles`: where the span's begin.
fn rotate_heads(thread: u32, angles: u32) {
  let pairs = parameters.pairs;
  for (var n = thread; n < (ALL - 1u) * pairs; n += THREADS) {
    let pair = n % pairs;
    let start = HEAD_DIM * select(n / pairs + 1u, 0u, n < pairs);
    let i = start + select(pair, 2u * pair, parameters.interleaved != 0u);
    let j = start + select(pair + pairs, 2u * pair + 1u, parameters.interleaved != 0u);
    let cos_angle = bitcast<f32>(places[angles + 2u * pair]);
    let sin_angle = bitcast<f32>(places[angles + 2u * pair + 1u]);
    let a = head_values[i];
    let b = head_values[j];
    head_values[i] = a * cos_angle - b * sin_angle;
    head_values[j] = a * sin_angle + b * cos_angle;
  }
  workgroupBarrier();
}

/// The new key and value and the query heads from `head` to `last`; then the last one again. `number`: the span's.
fn load_queries(thread: u32, span: Span, number: u32, kv_head: u32, head: u32, last: u32) {
  let kept_row = (span.row * parameters.kv_heads + kv_head) * HEAD_DIM;
  for (var i = thread; i < HEAD_DIM; i += THREADS) {
    head_values[i] = key[kept_row + i];
    head_values[HEAD_DIM + i] = value[kept_row + i];
  }
  for (var i = thread; i < HEADS * HEAD_DIM; i += THREADS) {
    let query_head = span.row * parameters.heads + min(head + i / HEAD_DIM, last);
    head_values[KEPT * HEAD_DIM + i] = query[query_head * HEAD_DIM + i % HEAD_DIM];
  }
  workgroupBarrier();
  if (parameters.query_norm != 0u) {
    norm_heads(thread);
  }
  rotate_heads(thread, parameters.rotations + 2u * (number * parameters.angles + parameters.turn));
  settle(thread);
  for (var i = thread; i < HEADS * FOURS; i += THREADS) {
    let at = KEPT * HEAD_DIM + 4u * i;
    queries[i] = vec4<f32>(head_values[at], head_values[at + 1u], head_values[at + 2u], head_values[at + 3u]);
  }
  workgroupBarrier();
}

/// Puts the new key and value into the pool.
fn keep(thread: u32, span: Span, kv_head: u32) {
  let place = (kept_at(span.pages, span.position) * parameters.kv_heads + kv_head) * HEAD_WORDS;
  for (var word = thread; word < HEAD_WORDS; word += THREADS) {
    keys[place + word] = packed(0u, word);
    values[place + word] = packed(1u, word);
  }
}

fn place_of(span: Span, position: u32, kv_head: u32) -> u32 {
  if (position == span.position) {
    return OWN;
  }
  return (kept_at(span.pages, position) * parameters.kv_heads + kv_head) * HEAD_WORDS;
}

fn key_at(place: u32, four: u32) -> vec4<f32> {
  if (place == OWN) {
    return rounded(0u, four);
  }
  return key_four(place, four);
}

fn value_at(place: u32, four: u32) -> vec4<f32> {
  if (place == OWN) {
    return rounded(1u, four);
  }
  return value_four(place, four);
}
