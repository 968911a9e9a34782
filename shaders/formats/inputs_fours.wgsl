// Products of a lane with F32.
alias Inputs = vec4<f32>;

fn inputs_at(token: u32, unit: u32) -> Inputs {
  return input(token, unit, 0u);
}

fn product(w: Unit, a: Inputs) -> f32 {
  return dot(w, a);
}
