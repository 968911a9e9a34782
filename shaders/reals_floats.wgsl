// Before tiles_floats.wgsl: its tiles are of floats.
alias real = f32;
alias Input = vec4<u32>;

/// Four columns of a row of inputs.
fn input_four(row: u32, column: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(x[row * parameters.columns + column]);
}

/// Sums of a token's products as they are without what its inputs were divided by.
fn whole(token: u32, sums: vec4<f32>) -> vec4<f32> {
  return sums;
}
