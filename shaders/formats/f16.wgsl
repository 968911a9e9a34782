// F16.
fn numbers(word: u32) -> vec2<f32> {
  return halves(word);
}
