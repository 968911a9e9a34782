// A cache of signed bytes: HEAD_DIM / 4 words for each position and head, then a float's scale for each 32 values.
const LEVEL_WORDS = HEAD_DIM / 4u;
const HEAD_WORDS = LEVEL_WORDS + (HEAD_DIM + 31u) / 32u;

fn levels(word: u32) -> vec4<f32> {
  return vec4<f32>((vec4<i32>(i32(word)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
}

fn key_four(at: u32, index: u32) -> vec4<f32> {
  return bitcast<f32>(keys[at + LEVEL_WORDS + index / 8u]) * levels(keys[at + index]);
}

fn value_four(at: u32, index: u32) -> vec4<f32> {
  return bitcast<f32>(values[at + LEVEL_WORDS + index / 8u]) * levels(values[at + index]);
}

