// A cache of halves. `number`: which of the heads at hand that are to be kept.

/// Before heads are packed, by all threads.
fn settle(thread: u32) {}

fn packed(number: u32, word: u32) -> u32 {
  let i = HEAD_DIM * number + 2u * word;
  // An infinite half would turn the whole attention into NaN.
  return half_word(clamp(vec2<f32>(head_value(i), head_value(i + 1u)), vec2<f32>(-65504.0), vec2<f32>(65504.0)));
}

/// What will be read of it.
fn rounded(number: u32, four: u32) -> vec4<f32> {
  return vec4<f32>(halves(packed(number, 2u * four)), halves(packed(number, 2u * four + 1u)));
}
