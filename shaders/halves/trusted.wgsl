// Halves, on a device whose own way is exact.

/// The two halves of a word.
fn halves(word: u32) -> vec2<f32> {
  return device_unpack(word);
}

/// Two numbers as halves, the nearest ones.
fn half_word(pair: vec2<f32>) -> u32 {
  return device_pack(pair);
}
