// A cache of floats: HEAD_DIM words for each position and head.
const HEAD_WORDS = HEAD_DIM;

fn packed(word: u32) -> u32 {
  return bitcast<u32>(head[word]);
}

