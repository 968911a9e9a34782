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

/// The half that is nearest, of two the even one; of what is beyond all halves, and of no number, something else.
#[inline(always)]
pub fn f32_to_f16(value: f32) -> u16 {
    let (bits, sign) = (value.to_bits() & 0x7fff_ffff, value.to_bits() >> 16 & 0x8000);
    let normal = bits.wrapping_sub(112 << 23).wrapping_add(0xfff + (bits >> 13 & 1)) >> 13;
    // Subnormal halves are multiples of 2⁻²⁴, as floats from ½ on are.
    let subnormal = (f32::from_bits(bits) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
    let half = if bits < 113 << 23 { subnormal } else { normal };
    (half | sign) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_and_what_lies_between_two_is_rounded_as_it_should() {
        for bits in 0..0x7bff {
            let (low, high) = (f16_to_f32(bits), f16_to_f32(bits + 1));
            let between = (low + high) / 2.0;
            let beside = [between.next_down(), between, between.next_up()];
            for value in [low, high].into_iter().chain(beside).flat_map(|value| [value, -value]) {
                assert_eq!(f32_to_f16(value), half::f16::from_f32(value).to_bits(), "{value:e}");
            }
        }
    }

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
