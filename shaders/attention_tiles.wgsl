// Before attention_one.wgsl: what its threads make of a tile of keys, which are between barriers.

const HEADS = WAY % 8u;                     // 1, 2 or 4
const SERIAL = WAY / 8u;
const FOURS = HEAD_DIM / 4u;
const THREADS = 128u - 64u * SERIAL;
const TILE = 64u + 192u * SERIAL;
const LANES = max(min(8u, FOURS) * (1u - SERIAL), 1u);
const RUNS = THREADS / LANES;               // keys at a time
const SLICES = THREADS / FOURS;             // of the keys, for the sums of values
const WANTED = 256u;                        // workgroups, which fill most GPUs
const FEW = 256u;                           // keys that are not worth a join

var<workgroup> products: array<vec4<f32>, max(TILE * LANES, THREADS * HEADS)>;
var<workgroup> scores: array<vec4<f32>, TILE>;
var<workgroup> kept: array<u32, TILE>;      // where the keys are
var<private> best: vec4<f32>;               // of all keys so far, by the query heads
var<private> total: vec4<f32>;              // a thread's part of the weights
var<private> sums: mat4x4<f32>;             // and of the weighted values

/// The products of a tile's keys with all heads, each lane's part of them.
fn multiply(thread: u32, span: Span, kv_head: u32, first: u32, count: u32) {
  for (var i = thread / LANES; i < select(0u, count, thread < RUNS * LANES); i += RUNS) {
    let at = place_of(span, first + i, kv_head);
    var product = vec4<f32>();
    for (var d = thread % LANES; d < FOURS; d += LANES) {
      let key = key_at(at, d);
      product.x += dot(queries[d], key);
      if (HEADS != 1u) {
        product.y += dot(queries[FOURS + d], key);
      }
      if (HEADS == 4u) {
        product.z += dot(queries[2u * FOURS + d], key);
        product.w += dot(queries[3u * FOURS + d], key);
      }
    }
    products[i * LANES + thread % LANES] = product;
  }
}

/// What the tile's keys score. The heads are from `head` to `last`.
fn score_tile(thread: u32, span: Span, kv_head: u32, first: u32, count: u32, head: u32, last: u32) {
  var most = vec4<f32>(LOWEST);
  for (var i = thread; i < count; i += THREADS) {
    kept[i] = place_of(span, first + i, kv_head);
    var product = products[i * LANES];
    for (var lane = 1u; lane < LANES; lane += 1u) {
      product += products[i * LANES + lane];
    }
    var made = vec4<f32>(score(product.x, head, first + i, span.position));
    if (HEADS != 1u) {
      made.y = score(product.y, min(head + 1u, last), first + i, span.position);
    }
    if (HEADS == 4u) {
      made.z = score(product.z, min(head + 2u, last), first + i, span.position);
      made.w = score(product.w, last, first + i, span.position);
    }
    scores[i] = made;
    most = max(most, made);
  }
  // Of its own first key nobody else asks any more.
  if (thread < count) {
    products[thread * LANES] = most;
  }
}

/// What is there fades as the maximum grows; then the tile's weights.
fn weigh(thread: u32, count: u32) {
  var most = best;
  for (var other = 0u; other < min(count, THREADS); other += 1u) {
    most = max(most, products[other * LANES]);
  }
  let fade = exp(best - most);
  best = most;
  total *= fade;
  sums = mat4x4<f32>(fade.x * sums[0], fade.y * sums[1], fade.z * sums[2], fade.w * sums[3]);
  for (var i = thread; i < count; i += THREADS) {
    let weight = exp(scores[i] - best);
    scores[i] = weight;
    total += weight;
  }
}

/// Each thread has a four of the values, of a slice of the keys.
fn mix(thread: u32, count: u32) {
  for (var i = thread / FOURS; i < select(0u, count, thread < SLICES * FOURS); i += SLICES) {
    let weight = scores[i];
    let value = value_at(kept[i], thread % FOURS);
    sums[0] += weight.x * value;
    if (HEADS != 1u) {
      sums[1] += weight.y * value;
    }
    if (HEADS == 4u) {
      sums[2] += weight.z * value;
      sums[3] += weight.w * value;
    }
  }
}
