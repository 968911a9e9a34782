// routes[row, k] = (e, share of e), e having the k-th largest of the row's scores (of equal ones the first)
//
// The router of a mixture of experts: a share is exp(score) over the sum of all, or of those chosen. A workgroup has a row,
// a thread of it every 64th expert, which it finds a place for by counting those before it. Grid: (1, rows, further ones).

struct Parameters {
  experts: u32,
  used: u32,
  renormalise: u32, // shares are of those chosen
}

@group(0) @binding(0) var<storage, read> scores: array<f32>;               // [rows, experts]
@group(0) @binding(1) var<storage, read_write> routes: array<vec2<f32>>;   // [rows, used]

const THREADS = 64u;

var<workgroup> parts: array<vec2<f32>, THREADS>;

/// Larger for larger scores, the same for zeros of either sign, and largest for what is no number: that is chosen, and
/// with it no share is a number.
fn rank(score: f32) -> u32 {
  let bits = bitcast<u32>(score);
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) {
    return 0xffffffffu;
  }
  return select(0x80000000u + size, 0x80000000u - size, bits > 0x80000000u);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = group.z * groups.y + group.y;
  if (row >= batch.len) {
    return;
  }
  let first = row * parameters.experts;
  var largest = LOWEST;
  for (var e = local; e < parameters.experts; e += THREADS) {
    largest = max(largest, scores[first + e]);
  }
  parts[local].x = largest;
  workgroupBarrier();
  for (var thread = 0u; thread < THREADS; thread += 1u) {
    largest = max(largest, parts[thread].x);
  }
  workgroupBarrier();
  // Of all, and of those chosen.
  var sums = vec2<f32>();
  for (var e = local; e < parameters.experts; e += THREADS) {
    let mine = rank(scores[first + e]);
    var before = 0u;
    for (var other = 0u; other < parameters.experts; other += 1u) {
      let its = rank(scores[first + other]);
      before += select(0u, 1u, its > mine || (its == mine && other < e));
    }
    let share = exp(scores[first + e] - largest);
    sums.x += share;
    if (before < parameters.used) {
      sums.y += share;
      routes[row * parameters.used + before] = vec2<f32>(f32(e), share);
    }
  }
  parts[local] = sums;
  storageBarrier();
  workgroupBarrier();
  sums = vec2<f32>();
  for (var i = 0u; i < THREADS; i += 1u) {
    sums += parts[i];
  }
  let whole = select(sums.x, sums.y, parameters.renormalise != 0u);
  for (var k = local; k < parameters.used; k += THREADS) {
    routes[row * parameters.used + k].y /= whole;
  }
}
