// Before tiles_floats.wgsl: its tiles are of halves, of what halve.wgsl makes of the inputs and of weights that are no larger
// than halves can be. Four products at a time are added up in halves, the rest in floats: with u = 2^−11, what a weight,
// an input, their product and three sums are rounded by, a sum is off by (1 + u)^6 − 1, or 0.3 %, of its products' sizes
// at most, and mostly by far less. Not measured on a GPU: a way among others of what `tune.rs` measures.
alias real = f16;
alias Input = vec4<f16>;

/// Four columns of a row of inputs.
fn input_four(row: u32, column: u32) -> vec4<f16> {
  return x[row * (parameters.columns + 1u) + column];
}

/// Sums of a token's products as they are without what its inputs were divided by.
fn whole(token: u32, sums: vec4<f32>) -> vec4<f32> {
  let exponent = i32(x[input_row(token) * (parameters.columns + 1u) + parameters.columns].x);
  return sums * bitcast<f32>(u32(exponent + 127) << 23u);
}
