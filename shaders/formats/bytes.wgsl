// Before the formats of more than four bits, or of two or three: levels as bytes, a word a four.
struct Unit {
  low: vec4<u32>,
  high: vec4<u32>,
  scale: vec2<f32>,
  minimum: vec2<f32>,
}

fn level_word(w: Unit, index: u32) -> u32 {
  if (index < 4u) {
    return w.low[index];
  }
  return w.high[index - 4u];
}

const NIBBLES = vec4<u32>(0x0f0f0f0fu);

/// A bit of each level of a half: in its byte of the word, bit n is that of four n.
fn single_bits(word: u32, half: u32) -> vec4<u32> {
  return (vec4<u32>(word) >> (vec4<u32>(0u, 1u, 2u, 3u) + 4u * half)) & vec4<u32>(0x01010101u);
}

/// Two bits of each level of a half, from its word: in its byte, bits 2 n and 2 n + 1 are those of four n.
fn bit_pairs(word: u32) -> vec4<u32> {
  return (vec4<u32>(word) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(0x03030303u);
}
