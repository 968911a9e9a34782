// A cache of halves: HEAD_DIM / 2 words for each position and head.
const HEAD_WORDS = HEAD_DIM / 2u;

fn packed(word: u32) -> u32 {
  // An infinite half would turn the whole attention into NaN.
  return half_word(clamp(vec2<f32>(head[2u * word], head[2u * word + 1u]), vec2<f32>(-65504.0), vec2<f32>(65504.0)));
}

