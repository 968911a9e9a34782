// Before the kernels that look for the least logit that top-k and top-p leave: weights of logits, and where they come to
// what is asked for.
//
//   penalise   runs       best and mass of each run
//   weigh      runs       what the logits weigh in BINS bins of their distance from the best
//   gather     runs       finds the bin that holds the least logit, and puts aside what may be that
//   truncate   one        looks through these a byte of their bits at a time, from the top
//
// A logit weighs 1 (top-k) or its share (top-p). Shares are whole numbers, so that the order of addition does not matter.
// Of 262,144 logits: a pass over 1 MB each, in 256 workgroups, and then some hundred of them that one workgroup sees.
// By arithmetic, with 3 µs for a dispatch that waits for another:
//
//                                                           passes   of one workgroup   waits    M2 (100 GB/s)   4090
//   one workgroup reads all, a byte at a time                  2            9              4         2.8 ms      2.8 ms
//   three histograms of 11 + 11 + 10 bits, for k and for p     9            0              9         0.12        0.04
//   a histogram of distances, then candidates    <- this       4            0              6         0.08        0.03
//
// penalise and draw among them.

const BINS = 1024u;
const PER_UNIT = 32.0;      // bins
const DEPTH = 32.0;         // what is further away from the best is in the last bin
const WHOLE = 2147483648.0;

// `words` begin with the bins; then what follows; then the orders of the logits that were put aside.
const COUNT = BINS;         // how many there are
const LEAST = BINS + 1u;    // the complement of the least of them, or of none
const ABOVE = BINS + 2u;    // what all weigh that are better than those
const MASS = BINS + 3u;     // Σ exp(logit − best) of all
const ORDERS = BINS + 4u;

var<workgroup> weights: array<u32, THREADS>;
var<workgroup> sixteens: array<u32, 16>;
var<workgroup> found: vec2<u32>;

/// The bin of a logit: those of better ones come first, or are the same.
fn bin_of(logit: f32, best: f32) -> u32 {
  return min(u32((best - max(logit, best - DEPTH)) * PER_UNIT), BINS - 1u);
}

/// A logit's share of all that weigh `mass`.
fn share(logit: f32, best: f32, mass: f32) -> u32 {
  return u32(round(exp(logit - best) / mass * WHOLE));
}

/// What logits have to weigh for top-p.
fn target_share(top_p: f32) -> u32 {
  return max(u32(top_p * WHOLE), 1u);
}

/// The first thread with whose weight all up to there come to `enough`, beginning with `before`, and what those before it
/// come to. Shares that are rounded down may never come to it: then it is the last thread.
fn first_enough(thread: u32, weight: u32, before: u32, enough: u32) -> vec2<u32> {
  weights[thread] = weight;
  workgroupBarrier();
  if (thread < 16u) {
    var sum = 0u;
    for (var i = 0u; i < 16u; i += 1u) {
      sum += weights[16u * thread + i];
    }
    sixteens[thread] = sum;
  }
  workgroupBarrier();
  var sum = before;
  for (var i = 0u; i < thread / 16u; i += 1u) {
    sum += sixteens[i];
  }
  for (var i = thread / 16u * 16u; i < thread; i += 1u) {
    sum += weights[i];
  }
  if (sum < enough && (sum + weight >= enough || thread == THREADS - 1u)) {
    found = vec2<u32>(thread, sum);
  }
  return workgroupUniformLoad(&found);
}
