// Before the kernels that choose a token: runs of the vocabulary, logits in their order, the best of a workgroup.
//
// What 256 threads have becomes one in two steps of sixteen: of an H200's clock some 32 · 25 cycles, where one thread alone
// would take 255 · 25, and a tree has eight barriers, which cost a processor most.

const RUN = 1024u;
const THREADS = 256u;
const BAD = 0xffffffffu;    // in place of a token and of its order: a logit is no number

var<workgroup> choices: array<vec2<u32>, THREADS>;
var<workgroup> largest: atomic<u32>;
var<workgroup> parts: array<f32, THREADS>;

/// Floats in their order, as whole numbers; both zeros are the same.
fn ordered(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits > 0x80000000u);
}

fn logit_of(order: u32) -> f32 {
  return bitcast<f32>(select(~order, order & 0x7fffffffu, order >= 0x80000000u));
}

/// Of two choices, an order and its token each, the better one; of equals that of the first token.
fn better(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  return select(b, a, a.x > b.x || (a.x == b.x && a.y < b.y));
}

/// The best of all threads' choices.
fn best_of(thread: u32, choice: vec2<u32>) -> vec2<u32> {
  choices[thread] = choice;
  workgroupBarrier();
  if (thread < 16u) {
    var best = choice;
    for (var other = thread + 16u; other < THREADS; other += 16u) {
      best = better(best, choices[other]);
    }
    choices[thread] = best;
  }
  workgroupBarrier();
  var best = choices[0];
  for (var i = 1u; i < 16u; i += 1u) {
    best = better(best, choices[i]);
  }
  return best;
}

/// The best logit of all runs, in its order.
fn best_of_runs(thread: u32) -> u32 {
  for (var run = thread; run < parameters.runs; run += THREADS) {
    atomicMax(&largest, partial[run].x);
  }
  workgroupBarrier();
  return atomicLoad(&largest);
}

/// The sum of the threads' values, always added up in the same order.
fn sum_of(thread: u32, value: f32) -> f32 {
  parts[thread] = value;
  workgroupBarrier();
  if (thread < 16u) {
    var sum = value;
    for (var part = thread + 16u; part < THREADS; part += 16u) {
      sum += parts[part];
    }
    parts[thread] = sum;
  }
  workgroupBarrier();
  var sum = parts[0];
  for (var part = 1u; part < 16u; part += 1u) {
    sum += parts[part];
  }
  return sum;
}
