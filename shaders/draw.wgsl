// drawn[g] = the best of score + noise in the g-th run, over the logits that top-k, top-p and then min-p leave
//
// With Gumbel's noise the best is a draw from the softmax. Only sampling; a run of BAD logits stays so. It is
// src/text/noise.rs, line by line, in whole numbers: other devices draw the same. Grid: (ceil(vocabulary / RUN)).

struct Parameters {
  vocabulary: u32,
  runs: u32,
  seed: vec2<u32>,
  scale: f32,      // of a logit's distance from the best
  first: u32,      // of the logits
  log_min_p: f32,  // LOWEST: all
  gone: u32,       // tokens that the sequence has lost, which count still
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;                // [vocabulary], from parameters.first on
@group(0) @binding(1) var<storage, read> partial: array<vec2<u32>>;         // [runs]: the best logit in its order, token
@group(0) @binding(2) var<storage, read> truncation: array<f32>;            // [1]: the least logit
@group(0) @binding(3) var<storage, read_write> drawn: array<vec2<u32>>;     // [runs]: the best score in its order, token

const PLACES = 20u;
const LEAST = -1073741824;
// More than any noise.
const NOISE_ENDS = 34603008;

/// Mixes two words (PCG's output function, O'Neill 2014, as Jarzynski and Olano use it, 2020).
fn mix_words(state: u32, word: u32) -> u32 {
  let sum = (state ^ word) * 747796405u + 2891336453u;
  let mixed = ((sum >> ((sum >> 28u) + 4u)) ^ sum) * 277803737u;
  return (mixed >> 22u) ^ mixed;
}

/// The upper word of a product.
fn high(a: u32, b: u32) -> u32 {
  let low = vec2<u32>(a, b) & vec2<u32>(0xffffu);
  let upper = vec2<u32>(a, b) >> vec2<u32>(16u);
  let first = upper.x * low.y + ((low.x * low.y) >> 16u);
  let second = low.x * upper.y + (first & 0xffffu);
  return upper.x * upper.y + (first >> 16u) + (second >> 16u);
}

/// −log₂(1 − w) / w for w up to ½: w has 32 binary places, the quotient 30.
fn quotient(w: u32) -> u32 {
  var sum = high(w, high(w, 886760462u)) + 52426863u;
  sum = high(w, sum) + 461019072u;
  sum = high(w, sum) + 350214985u;
  sum = high(w, sum) + 520167729u;
  sum = high(w, sum) + 774402123u;
  return high(w, sum) + 1549082813u;
}

fn log2_of(n: u32) -> i32 {
  let zeros = countLeadingZeros(n);
  let w = 0u - (n << zeros);
  return i32((32u - zeros) << PLACES) - i32(high(w, quotient(w)) >> (30u - PLACES));
}

/// −log₂(−log₂(1 − w)) with w = (hash + ½) / 2³².
fn gumbel(hash: u32) -> i32 {
  let zeros = countLeadingZeros(hash);
  if (zeros > 0u) {
    let leading = ((hash << 1u) | 1u) << (zeros - 1u);
    return i32((30u + zeros) << PLACES) - log2_of(high(leading, quotient((leading >> (zeros - 1u)) >> 1u)));
  }
  let rest = ~hash;
  let halvings = countLeadingZeros(rest);
  let w = 0u - (((rest << 1u) | 1u) << (halvings - 1u));
  return i32(26u << PLACES) - log2_of((halvings << 26u) + (high(w, quotient(w)) >> 4u));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let order = best_of_runs(thread);
  let best_of_all = logit_of(order);
  let least = max(truncation[0], best_of_all + parameters.log_min_p);
  let end = min(RUN * (group.x + 1u), parameters.vocabulary);
  let seed = parameters.seed;
  let position = batch.position + batch.len + parameters.gone;
  let first = mix_words(mix_words(seed.x, seed.y), position);
  let second = mix_words(mix_words(seed.y ^ 0x9e3779b9u, seed.x), position);
  var best = LEAST - NOISE_ENDS;
  var chosen = RUN * group.x;
  for (var token = RUN * group.x + thread; token < end; token += THREADS) {
    let logit = logits[parameters.first + token];
    if (logit < least || logit <= LOWEST) {
      continue;
    }
    let score = i32(max((logit - best_of_all) * parameters.scale, f32(LEAST)));
    if (score + NOISE_ENDS <= best) {
      continue;
    }
    let noisy = score + gumbel(mix_words(second, mix_words(first, token)));
    if (noisy > best) {
      best = noisy;
      chosen = token;
    }
  }
  let choice = best_of(thread, vec2<u32>(bitcast<u32>(best) ^ 0x80000000u, chosen));
  if (thread == 0u) {
    drawn[group.x] = select(choice, vec2<u32>(BAD), order == BAD);
  }
}
