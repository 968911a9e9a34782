// Before every quantised format.

// Sixteen neighbours of a row of weights, a byte each: weight = scale · level + minimum.
struct Packed {
  levels: vec4<u32>,
  scale: f32,
  minimum: f32,
}

/// The low halves of a word's bytes.
const NIBBLES = 0x0f0f0f0fu;

/// Four neighbouring words, each shifted and masked.
fn words(at: u32, shift: u32, mask: u32) -> vec4<u32> {
  return (vec4<u32>(weights[at], weights[at + 1u], weights[at + 2u], weights[at + 3u]) >> vec4<u32>(shift)) & vec4<u32>(mask);
}
