// Before the products with experts: what becomes of a gate's and an up projection's, by the numbers that `Gating` of
// src/device/experts.rs has in src/device/gpu/experts.rs.

const CLAMPED = 7u;   // 0 to 6 are activations

fn gated(gate: f32, up: f32) -> f32 {
  if (parameters.gating != CLAMPED) {
    return activated(gate, parameters.gating) * up;
  }
  // Not by `min` and `clamp`, which may make a number of what is none.
  let most = parameters.limit;
  let g = select(gate, most, gate > most);
  let u = select(select(up, most, up > most), -most, up < -most);
  return (u + 1.0) * sigmoid_times(g, 1.702 * g);
}
