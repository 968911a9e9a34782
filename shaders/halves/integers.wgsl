// Halves, on a device that takes subnormal ones for zeros, or does not round to the nearest: by their bits. Scales of
// quantised weights are small, and most of those of a large model are subnormal.

/// The two halves of a word.
fn halves(word: u32) -> vec2<f32> {
  return vec2<f32>(float_of(word & 0xffffu), float_of(word >> 16u));
}

fn float_of(bits: u32) -> f32 {
  let size = bits & 0x7fffu;
  // Exponents of halves begin 112 later than those of floats; the last one means infinity, or no number.
  let exponent = select(112u << 23u, 224u << 23u, size >= 0x7c00u);
  let normal = (size << 13u) + exponent;
  let subnormal = bitcast<u32>(f32(size) * 5.9604645e-8);
  return bitcast<f32>(select(normal, subnormal, size < 0x400u) | ((bits & 0x8000u) << 16u));
}

/// Two numbers as halves, the nearest ones; of two that are as near, the even one.
fn half_word(pair: vec2<f32>) -> u32 {
  return half_of(pair.x) | (half_of(pair.y) << 16u);
}

fn half_of(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let size = bits & 0x7fffffffu;
  let sign = (bits >> 16u) & 0x8000u;
  if (size >= 0x7f800000u) {
    return sign | select(0x7c00u, 0x7e00u, size > 0x7f800000u);
  }
  if (size < 0x38800000u) {
    // Subnormal: how many of the least ones. Their products are whole numbers but for what is rounded.
    return sign | u32(round(bitcast<f32>(size) * 16777216.0));
  }
  let rounded = size + 0xfffu + ((size >> 13u) & 1u);
  return sign | min((rounded - (112u << 23u)) >> 13u, 0x7c00u);
}
