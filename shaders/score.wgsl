// Before the kernels of attention: which keys a query sees, and what a score is.
// score = cap · tanh(scale · query · key / cap) + bias(key − query). A sink is a score that no key has, [heads]: the
// first to be seen.

struct Parameters {
  heads: u32,
  kv_heads: u32,
  scale: f32,
  window: u32,     // only keys less than that far away; 0: all
  causal: u32,     // no key after the query
  soft_cap: f32,   // 0: none
  biases: u32,     // where they begin
  reach: u32,      // of the table: distances beyond it are as that
  sinks: u32,      // 1 more than where they begin; 0: none
  places: u32,     // where the spans' begin: see places.wgsl
  // Of heads that come to be kept: see attention_step.wgsl.
  rotations: u32,  // where the angles of the spans of one row begin
  angles: u32,     // of a row: those of all turns
  turn: u32,       // the first of this one
  pairs: u32,      // that turn
  interleaved: u32,
  query_norm: u32, // 1 more than where the norms' weights begin; 0: none
  key_norm: u32,
  epsilon: f32,
}

const BIAS_LINEAR = 1u;
const BIAS_TABLE = 2u;

/// The first key that the query at `position` sees.
fn first_key(position: u32) -> u32 {
  return select(0u, position + 1u - min(parameters.window, position + 1u), parameters.window != 0u);
}

/// The first key after those that it sees, of `all` that there are.
fn end_key(position: u32, all: u32) -> u32 {
  if (parameters.causal != 0u) {
    return min(all, position + 1u);
  }
  return select(all, min(all, position + parameters.window), parameters.window != 0u);
}

/// The score of a query's product with a key.
fn score(product: f32, head: u32, key: u32, position: u32) -> f32 {
  var score = parameters.scale * product;
  if (parameters.soft_cap > 0.0) {
    // Some drivers' tanh of large numbers is no number.
    score = parameters.soft_cap * tanh(clamp(score / parameters.soft_cap, -10.0, 10.0));
  }
  let distance = i32(key) - i32(position);
  if (BIAS == BIAS_LINEAR) {
    score += vectors[parameters.biases + head] * f32(distance);
  }
  if (BIAS == BIAS_TABLE) {
    let reach = i32(parameters.reach);
    let line = parameters.biases + head * (2u * parameters.reach + 1u);
    score += vectors[line + u32(clamp(distance, -reach, reach) + reach)];
  }
  return score;
}

/// The maximum before any key is seen.
fn first_maximum(head: u32) -> f32 {
  if (parameters.sinks == 0u) {
    return LOWEST;
  }
  return vectors[parameters.sinks - 1u + head];
}

/// The sum of weights before any key is seen, exp(first_maximum − best).
fn first_total(head: u32, best: f32) -> f32 {
  if (parameters.sinks == 0u) {
    return 0.0;
  }
  return exp(vectors[parameters.sinks - 1u + head] - best);
}
