// logits = penalised(logits + bias), of those that are allowed; partial[g] = the best of the g-th run, and its token; masses[g] = its Σ exp(logit − best)
//
// First step of choosing a token. A logit that is no number turns the run's token into BAD. Penalties are those of
// src/text/sampler.rs. A workgroup has a run of RUN tokens. Grid: (ceil(vocabulary / RUN)).

struct Parameters {
  vocabulary: u32,
  first: u32,        // of the logits
  repetition: f32,
  presence: f32,
  frequency: f32,
  weighs: u32,       // whether masses are wanted
  runs: u32,
  restricts: u32,    // whether only some tokens are allowed
}

@group(0) @binding(0) var<storage, read_write> logits: array<f32>;          // [vocabulary], from parameters.first on
@group(0) @binding(1) var<storage, read> seen: array<u32>;                  // [vocabulary]: how often chosen; top bit: seen at all
@group(0) @binding(2) var<storage, read> bias: array<f32>;                  // [vocabulary], or empty
@group(0) @binding(3) var<storage, read_write> partial: array<vec2<u32>>;   // [runs]: the best logit in its order, token
@group(0) @binding(4) var<storage, read_write> masses: array<f32>;          // [runs]
@group(0) @binding(5) var<storage, read> allowed: array<u32>;               // a bit a token, or empty

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
    if (parameters.restricts != 0u && ((allowed[token / 32u] >> (token % 32u)) & 1u) == 0u) {
      logit = LOWEST;
    }
    logits[parameters.first + token] = logit;
    if (logit > best) {
      best = logit;
      chosen = token;
    }
  }
  let choice = best_of(thread, select(vec2<u32>(ordered(best), chosen), vec2<u32>(BAD), bad));
  if (thread == 0u) {
    partial[group.x] = choice;
  }
  if (parameters.weighs != 0u) {
    var mass = 0.0;
    for (var token = RUN * group.x + thread; token < end; token += THREADS) {
      mass += exp(logits[parameters.first + token] - logit_of(choice.x));
    }
    mass = sum_of(thread, mass);
    if (thread == 0u) {
      masses[group.x] = mass;
    }
  }
}
