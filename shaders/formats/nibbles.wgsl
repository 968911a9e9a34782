// Before the formats of four bits. Four words of a unit: of word w the bytes' low nibbles are four w, their high ones
// four 4 + w.
struct Unit {
  words: vec4<u32>,
  scale: vec2<f32>,
  minimum: vec2<f32>,
}

fn nibbles(w: Unit, index: u32) -> u32 {
  return (w.words[index % 4u] >> (4u * (index / 4u))) & 0x0f0f0f0fu;
}
