//! Halves as numbers, one at a time.

/// Sixteen bits as IEEE half precision.
#[inline(always)]
pub fn f16_to_f32(half: u16) -> f32 {
    // Where the exponent is all ones, so is the f32's: infinities and NaN.
    let special = if half & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(finite_f16_to_f32(half).to_bits() | special)
}

/// The same of a finite number. Infinities and NaN are not told from large numbers: matrices that hold them are kept as
/// other floats.
#[inline(always)]
pub(super) fn finite_f16_to_f32(half: u16) -> f32 {
    // The exponent moves to its place in the f32, and one multiplication corrects its bias
    // (2^(127 − 15)), for subnormal halves too.
    let magnitude = f32::from_bits(u32::from(half & 0x7fff) << 13) * f32::from_bits((127 + 112) << 23);
    f32::from_bits(magnitude.to_bits() | u32::from(half & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_half_converts_exactly() {
        for bits in (0..0x7c00).chain(0x8000..0xfc00) {
            let expected = half::f16::from_bits(bits).to_f32();
            assert_eq!(f16_to_f32(bits).to_bits(), expected.to_bits());
            assert_eq!(finite_f16_to_f32(bits).to_bits(), expected.to_bits());
        }
        assert_eq!([0x7c00, 0xfc00].map(f16_to_f32), [f32::INFINITY, f32::NEG_INFINITY]);
        assert!((0x7c01..0x8000).chain(0xfc01..=0xffff).all(|bits| f16_to_f32(bits).is_nan()));
    }
}
