// Before every kernel. Its storage, declared by itself, has the bindings 0 to 7; what it is told lies behind them.

/// The rows that a dispatch is about: all that there are, or one sequence's span of them.
struct Batch {
  row: u32,      // the first row
  len: u32,      // rows
  position: u32, // of the first row in its sequence
  keys: u32,     // of its cache that there are for it
}

@group(0) @binding(8) var<uniform> parameters: Parameters; // each kernel's own
@group(0) @binding(9) var<uniform> batch: Batch;

// WGSL has no infinity.
const LOWEST = -3.0e38;

/// Where a matrix begins in its two planes: the first in fours of words, the second in words (src/device/gpu/planes.rs).
alias Place = vec2<u32>;

/// The four bytes of a word, lowest first.
fn bytes(word: u32) -> vec4<u32> {
  return (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu);
}

/// Byte `index` of a word.
fn byte(word: u32, index: u32) -> u32 {
  return (word >> (8u * index)) & 0xffu;
}

/// A byte as a signed number.
fn signed(byte: u32) -> f32 {
  return f32(i32(byte << 24u) >> 24u);
}
