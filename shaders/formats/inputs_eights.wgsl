// Products of a lane with F16 or BF16.
alias Inputs = mat2x4<f32>;

fn inputs_at(token: u32, unit: u32) -> Inputs {
  return mat2x4<f32>(input(token, unit, 0u), input(token, unit, 1u));
}

fn product(w: Unit, a: Inputs) -> f32 {
  return dot(unit_four(w, 0u), a[0]) + dot(unit_four(w, 1u), a[1]);
}
