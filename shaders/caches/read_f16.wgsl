// A cache of halves: HEAD_DIM / 2 words for each position and head.
const HEAD_WORDS = HEAD_DIM / 2u;

fn key_four(at: u32, index: u32) -> vec4<f32> {
  let i = at + 2u * index;
  return vec4<f32>(halves(keys[i]), halves(keys[i + 1u]));
}

fn value_four(at: u32, index: u32) -> vec4<f32> {
  let i = at + 2u * index;
  return vec4<f32>(halves(values[i]), halves(values[i + 1u]));
}

