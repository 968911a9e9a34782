// A cache of floats: HEAD_DIM words for each position and head.
const HEAD_WORDS = HEAD_DIM;

fn key_four(at: u32, index: u32) -> vec4<f32> {
  let i = at + 4u * index;
  return bitcast<vec4<f32>>(vec4<u32>(keys[i], keys[i + 1u], keys[i + 2u], keys[i + 3u]));
}

fn value_four(at: u32, index: u32) -> vec4<f32> {
  let i = at + 4u * index;
  return bitcast<vec4<f32>>(vec4<u32>(values[i], values[i + 1u], values[i + 2u], values[i + 3u]));
}

