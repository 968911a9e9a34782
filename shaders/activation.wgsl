// Before the products: feed-forward activations, by the numbers that `Activation` of src/device/mod.rs gives them.

/// x · σ(z)
fn sigmoid_times(x: f32, z: f32) -> f32 {
  return x / (1.0 + exp(-z));
}

/// Φ(x) = (1 + erf(x / √2)) / 2, within 1e-7: Abramowitz and Stegun, 7.1.26.
fn normal_distribution(x: f32) -> f32 {
  let z = abs(x) * 0.70710678;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let polynomial = ((((1.0614054 * t - 1.453152) * t + 1.4214137) * t - 0.28449674) * t + 0.2548296) * t;
  // What is beyond |x|, half of it on each side.
  let tail = 0.5 * polynomial * exp(-z * z);
  return select(tail, 1.0 - tail, x > 0.0);
}

fn activated(x: f32, activation: u32) -> f32 {
  switch activation {
    case 1u: { return sigmoid_times(x, x); }
    case 2u: { return x * normal_distribution(x); }
    case 3u: { return sigmoid_times(x, 1.5957691 * x * (1.0 + 0.044715 * x * x)); }
    case 4u: { return sigmoid_times(x, 1.702 * x); }
    case 5u: { return max(x, 0.0); }
    // Some drivers' tanh of large numbers is no number.
    case 6u: { return tanh(clamp(x, -10.0, 10.0)); }
    default: { return x; }
  }
}
