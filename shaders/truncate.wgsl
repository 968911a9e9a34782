// truncation = the least logit that top-k, top-p and min-p leave, in this order
//
// One workgroup looks for the least logit a byte of its bits at a time, from the top: a histogram of counts for top-k,
// of shares for top-p. Logits that equal the least one all stay. Shares are whole numbers, so that the order of addition
// does not matter. Grid: (1).

struct Parameters {
  vocabulary: u32,
  first: u32,        // of the logits
  runs: u32,
  top_k: u32,        // 0: all
  top_p: f32,        // 1: all
  log_min_p: f32,    // LOWEST: all
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;                // [vocabulary], from parameters.first on
@group(0) @binding(1) var<storage, read> partial: array<vec2<u32>>;         // [runs]: the best logit in its order, token
@group(0) @binding(2) var<storage, read_write> truncation: array<f32>;      // [1]: the least logit

const THREADS = 256u;
const WHOLE = 2147483648.0;

var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> rest: array<f32, THREADS>;
var<workgroup> found: vec2<u32>;    // the byte, and what is above it

/// Floats in their order, as whole numbers; both zeros are the same.
fn ordered(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits > 0x80000000u);
}

fn logit_of(order: u32) -> f32 {
  return bitcast<f32>(select(~order, order & 0x7fffffffu, order >= 0x80000000u));
}

/// The largest `least` for which the logits from it on weigh `target_weight`; a logit weighs 1, or with `whole` (their
/// sum of exponentials) its share. Only those from `lowest` on count.
fn search(thread: u32, lowest: u32, target_weight: u32, best: f32, whole: f32) -> u32 {
  var least = 0u;
  var above = 0u;
  for (var shift = 32u; shift > 0u; shift -= 8u) {
    atomicStore(&histogram[thread], 0u);
    workgroupBarrier();
    for (var token = thread; token < parameters.vocabulary; token += THREADS) {
      let order = ordered(logits[parameters.first + token]);
      // A shift by all bits is none.
      if (order >= lowest && (shift == 32u || (order >> (shift % 32u)) == (least >> (shift % 32u)))) {
        var weight = 1u;
        if (whole > 0.0) {
          weight = u32(round(exp(logits[parameters.first + token] - best) / whole * WHOLE));
        }
        atomicAdd(&histogram[(order >> (shift - 8u)) & 0xffu], weight);
      }
    }
    workgroupBarrier();
    if (thread == 0u) {
      var byte = 255u;
      var sum = above;
      // Shares that are rounded down may not come to what is asked for: then all stay.
      while (byte > 0u && sum + atomicLoad(&histogram[byte & 255u]) < target_weight) {
        sum += atomicLoad(&histogram[byte & 255u]);
        byte -= 1u;
      }
      found = vec2<u32>(byte, sum);
    }
    let next = workgroupUniformLoad(&found);
    least |= next.x << (shift - 8u);
    above = next.y;
  }
  return least;
}

/// The sum of the threads' values.
fn sum_of(thread: u32, value: f32) -> f32 {
  rest[thread] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < THREADS; i += 1u) {
    sum += rest[i];
  }
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
  var best = LOWEST;
  for (var run = 0u; run < parameters.runs; run += 1u) {
    best = max(best, logit_of(partial[run].x));
  }
  var threshold = 0u;
  if (parameters.top_k > 0u && parameters.top_k < parameters.vocabulary) {
    threshold = search(thread, 0u, parameters.top_k, best, 0.0);
  }
  if (parameters.top_p < 1.0) {
    var mass = 0.0;
    for (var token = thread; token < parameters.vocabulary; token += THREADS) {
      mass += select(0.0, exp(logits[parameters.first + token] - best), ordered(logits[parameters.first + token]) >= threshold);
    }
    let whole = sum_of(thread, mass);
    threshold = max(threshold, search(thread, threshold, max(u32(parameters.top_p * WHOLE), 1u), best, whole));
  }
  if (thread == 0u) {
    truncation[0] = max(logit_of(max(threshold, ordered(LOWEST))), best + parameters.log_min_p);
  }
}
