// A cache of floats. `number`: which of the heads at hand that are to be kept.

/// Before heads are packed, by all threads.
fn settle(thread: u32) {}

fn packed(number: u32, word: u32) -> u32 {
  return bitcast<u32>(head_value(HEAD_DIM * number + word));
}

/// What will be read of it.
fn rounded(number: u32, four: u32) -> vec4<f32> {
  let i = HEAD_DIM * number + 4u * four;
  return vec4<f32>(head_value(i), head_value(i + 1u), head_value(i + 2u), head_value(i + 3u));
}
