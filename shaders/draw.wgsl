// partial[g] = the best of logit / temperature + noise in the g-th run, over the logits above the threshold
//
// With Gumbel's noise, −log of an exponential number, the best is a draw from the softmax. Only sampling; a run that was
// BAD stays so. The noise is a hash of seed, position and token. Grid: (ceil(vocabulary / RUN)).

struct Parameters {
  vocabulary: u32,
  temperature: f32,
  seed: vec2<u32>,
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;                // [vocabulary]
@group(0) @binding(1) var<storage, read> truncation: array<f32>;            // the least logit, the best one
@group(0) @binding(2) var<storage, read_write> partial: array<vec2<u32>>;   // [runs]: bits of the score, token

const RUN = 1024u;
const THREADS = 256u;
const BAD = 0xffffffffu;

var<workgroup> best_score: array<f32, THREADS>;
var<workgroup> best_token: array<u32, THREADS>;

/// Mixes two words (PCG's output function, O'Neill 2014, as Jarzynski and Olano use it, 2020).
fn mix(state: u32, word: u32) -> u32 {
  let sum = (state ^ word) * 747796405u + 2891336453u;
  let mixed = ((sum >> ((sum >> 28u) + 4u)) ^ sum) * 277803737u;
  return (mixed >> 22u) ^ mixed;
}

/// An exponential number: −log(1 − v) for a uniform v, which is small where the number is.
fn exponential(hash: u32) -> f32 {
  let v = (f32(hash) + 0.5) * 2.3283064e-10;
  return select(-log(max(1.0 - v, 1.0e-10)), v * (1.0 + v * (0.5 + v / 3.0)), v < 0.01);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let end = min(RUN * (group.x + 1u), parameters.vocabulary);
  let key = mix(mix(parameters.seed.x, parameters.seed.y), batch.position);
  var best = LOWEST;
  var chosen = RUN * group.x;
  for (var token = RUN * group.x + thread; token < end; token += THREADS) {
    let logit = logits[token];
    if (logit >= truncation[0] && logit > LOWEST) {
      let score = max((logit - truncation[1]) / parameters.temperature, LOWEST) - log(exponential(mix(key, token)));
      if (score > best) {
        best = score;
        chosen = token;
      }
    }
  }
  best_score[thread] = best;
  best_token[thread] = chosen;
  workgroupBarrier();
  if (thread != 0u || partial[group.x].y == BAD) {
    return;
  }
  for (var i = 1u; i < THREADS; i += 1u) {
    if (best_score[i] > best) {
      best = best_score[i];
      chosen = best_token[i];
    }
  }
  partial[group.x] = vec2<u32>(bitcast<u32>(best), chosen);
}
