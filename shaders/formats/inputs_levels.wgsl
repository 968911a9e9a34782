// Products of a lane with a quantised format.

/// Inputs of a unit, and the sum of each half.
struct Inputs {
  low: mat4x4<f32>,
  high: mat4x4<f32>,
  totals: vec2<f32>,
}

fn total_of(a: mat4x4<f32>) -> f32 {
  return dot(a[0] + a[1] + a[2] + a[3], vec4<f32>(1.0));
}

fn inputs_at(token: u32, unit: u32) -> Inputs {
  let low = mat4x4<f32>(input(token, unit, 0u), input(token, unit, 1u), input(token, unit, 2u), input(token, unit, 3u));
  let high = mat4x4<f32>(input(token, unit, 4u), input(token, unit, 5u), input(token, unit, 6u), input(token, unit, 7u));
  return Inputs(low, high, vec2<f32>(total_of(low), total_of(high)));
}

fn product(w: Unit, a: Inputs) -> f32 {
  let low = dot(four(level_word(w, 0u)), a.low[0]) + dot(four(level_word(w, 1u)), a.low[1]) +
    dot(four(level_word(w, 2u)), a.low[2]) + dot(four(level_word(w, 3u)), a.low[3]);
  let high = dot(four(level_word(w, 4u)), a.high[0]) + dot(four(level_word(w, 5u)), a.high[1]) +
    dot(four(level_word(w, 6u)), a.high[2]) + dot(four(level_word(w, 7u)), a.high[3]);
  return dot(w.scale, vec2<f32>(low, high)) + dot(w.minimum, a.totals);
}
