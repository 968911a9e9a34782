// logits = penalised(logits + bias); partial[g] = the best of the g-th run, and its token
//
// First step of choosing a token. A logit that is no number turns the run's token into BAD. Penalties are those of
// src/text/sampler.rs. A workgroup has a run of RUN tokens. Grid: (ceil(vocabulary / RUN)).

struct Parameters {
  vocabulary: u32,
  first: u32,        // of the logits
  repetition: f32,
  presence: f32,
  frequency: f32,
}

@group(0) @binding(0) var<storage, read_write> logits: array<f32>;          // [vocabulary], from parameters.first on
@group(0) @binding(1) var<storage, read> seen: array<u32>;                  // [vocabulary]: how often chosen; top bit: seen at all
@group(0) @binding(2) var<storage, read> bias: array<f32>;                  // [vocabulary], or empty
@group(0) @binding(3) var<storage, read_write> partial: array<vec2<u32>>;   // [runs]: the best logit in its order, token

const RUN = 1024u;
const THREADS = 256u;
const BAD = 0xffffffffu;

var<workgroup> best_logit: array<f32, THREADS>;
var<workgroup> best_token: array<u32, THREADS>;

/// Floats in their order, as whole numbers; both zeros are the same.
fn ordered(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits > 0x80000000u);
}

fn penalised(logit: f32, token: u32) -> f32 {
  let count = seen[token];
  if (count == 0u) {
    return logit;
  }
  let value = select(logit * parameters.repetition, logit / parameters.repetition, logit > 0.0);
  let chosen = count & 0x7fffffffu;
  return value - select(0.0, parameters.presence + parameters.frequency * f32(chosen), chosen > 0u);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let end = min(RUN * (group.x + 1u), parameters.vocabulary);
  var best = LOWEST;
  var chosen = 0u;
  var bad = false;
  for (var token = RUN * group.x + thread; token < end; token += THREADS) {
    var logit = logits[parameters.first + token];
    let bits = bitcast<u32>(logit);
    let infinite = (bits & 0x7f800000u) == 0x7f800000u;
    bad = bad || (infinite && bits != 0xff800000u);
    if (infinite) {
      logit = LOWEST;
    }
    if (arrayLength(&bias) > token) {
      logit = max(logit + bias[token], LOWEST);
    }
    logit = max(penalised(logit, token), LOWEST);
    logits[parameters.first + token] = logit;
    if (logit > best) {
      best = logit;
      chosen = token;
    }
  }
  best_logit[thread] = best;
  best_token[thread] = select(chosen, BAD, bad);
  workgroupBarrier();
  if (thread != 0u) {
    return;
  }
  for (var i = 1u; i < THREADS; i += 1u) {
    let other = best_token[i];
    if (other == BAD || chosen == BAD) {
      chosen = BAD;
    } else if (best_logit[i] > best || (best_logit[i] == best && best > LOWEST && other < chosen)) {
      best = best_logit[i];
      chosen = other;
    }
  }
  chosen = select(chosen, BAD, bad);
  partial[group.x] = vec2<u32>(ordered(best), chosen);
}
