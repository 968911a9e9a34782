//! The vectors as WebAssembly SIMD. Every load and store is of a whole array, so no pointer can stray.

use core::arch::wasm32::*;

#[derive(Clone, Copy)]
pub struct F32x4(v128);
#[derive(Clone, Copy)]
pub struct I32x4(v128);
#[derive(Clone, Copy)]
pub struct I16x8(v128);
#[derive(Clone, Copy)]
pub struct U8x16(v128);

/// Loads any 16-byte array.
#[inline(always)]
fn load<T>(array: &T) -> v128 {
    const { assert!(size_of::<T>() == 16) };
    // SAFETY: the reference covers the 16 bytes that are read; wasm loads need no alignment.
    unsafe { v128_load((array as *const T).cast()) }
}

impl F32x4 {
    pub const ZERO: Self = Self(f32x4(0.0, 0.0, 0.0, 0.0));

    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self(f32x4_splat(value))
    }

    #[inline(always)]
    pub fn load(values: &[f32; 4]) -> Self {
        Self(load(values))
    }

    #[inline(always)]
    pub fn from_f16(halves: &[u16; 4]) -> Self {
        // SAFETY: eight bytes are read, as many as the array has.
        let wide = unsafe { u32x4_load_extend_u16x4(halves.as_ptr()) };
        let magnitude = u32x4_shl(v128_and(wide, u32x4_splat(0x7fff)), 13);
        let sign = u32x4_shl(v128_and(wide, u32x4_splat(0x8000)), 16);
        let value = f32x4_mul(magnitude, u32x4_splat((127 + 112) << 23));
        Self(v128_or(value, sign))
    }

    /// Of halves that need not be finite.
    #[inline(always)]
    pub fn from_any_f16(halves: &[u16; 4]) -> Self {
        // SAFETY: as above.
        let wide = unsafe { u32x4_load_extend_u16x4(halves.as_ptr()) };
        let special = i32x4_eq(v128_and(wide, u32x4_splat(0x7c00)), u32x4_splat(0x7c00));
        Self(v128_or(Self::from_f16(halves).0, v128_and(special, u32x4_splat(0x7f80_0000))))
    }

    /// Eight finite halves as they lie in memory, those at even places and those at odd ones, · 2⁻¹¹²: their exponents keep
    /// their bias.
    #[inline(always)]
    pub fn from_halves(halves: &[u16; 8]) -> [Self; 2] {
        let both = load(halves);
        // The sign spreads into three bits of the exponent, which are none of it.
        let bits = u32x4_splat(0x8fff_e000);
        [i32x4_shl(both, 16), both].map(|upper| Self(v128_and(i32x4_shr(upper, 3), bits)))
    }

    #[inline(always)]
    pub fn from_bf16(halves: &[u16; 4]) -> Self {
        // SAFETY: eight bytes are read, as many as the array has.
        Self(u32x4_shl(unsafe { u32x4_load_extend_u16x4(halves.as_ptr()) }, 16))
    }

    #[inline(always)]
    pub fn to_array(self) -> [f32; 4] {
        // SAFETY: both types are 16 bytes without invalid values.
        unsafe { core::mem::transmute(self.0) }
    }

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        Self(f32x4_add(self.0, other.0))
    }

    #[inline(always)]
    pub fn sub(self, other: Self) -> Self {
        Self(f32x4_sub(self.0, other.0))
    }

    #[inline(always)]
    pub fn mul(self, other: Self) -> Self {
        Self(f32x4_mul(self.0, other.0))
    }

    #[inline(always)]
    pub fn div(self, other: Self) -> Self {
        Self(f32x4_div(self.0, other.0))
    }

    /// self · factor + addend, rounded once or twice as the engine likes.
    #[inline(always)]
    pub fn mul_add(self, factor: Self, addend: Self) -> Self {
        #[cfg(target_feature = "relaxed-simd")]
        return Self(f32x4_relaxed_madd(self.0, factor.0, addend.0));
        #[cfg(not(target_feature = "relaxed-simd"))]
        return Self(f32x4_add(f32x4_mul(self.0, factor.0), addend.0));
    }

    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        Self(f32x4_pmax(self.0, other.0))
    }

    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        Self(f32x4_pmin(self.0, other.0))
    }

    #[inline(always)]
    pub fn abs(self) -> Self {
        Self(f32x4_abs(self.0))
    }

    /// The same size, with the other's sign.
    #[inline(always)]
    pub fn with_sign_of(self, other: Self) -> Self {
        Self(v128_or(v128_andnot(self.0, u32x4_splat(1 << 31)), v128_and(other.0, u32x4_splat(1 << 31))))
    }

    #[inline(always)]
    pub fn nearest(self) -> Self {
        Self(f32x4_nearest(self.0))
    }

    /// 2ⁿ for whole n below 128; 0 from −127 down.
    #[inline(always)]
    pub fn exp2_int(self) -> Self {
        let biased = i32x4_max(i32x4_add(i32x4_trunc_sat_f32x4(self.0), i32x4_splat(127)), i32x4_splat(0));
        Self(i32x4_shl(biased, 23))
    }

    /// To whole numbers, which must fit.
    #[inline(always)]
    pub fn to_int(self) -> I32x4 {
        I32x4(i32x4_trunc_sat_f32x4(self.0))
    }

    /// Four vectors of which each becomes one lane: lane i is the sum of `rows[i]`.
    #[inline(always)]
    pub fn sums(rows: [Self; 4]) -> Self {
        let [a, b, c, d] = rows.map(|row| row.0);
        let ab = f32x4_add(i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
        let cd = f32x4_add(i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
        Self(f32x4_add(i32x4_shuffle::<0, 1, 4, 5>(ab, cd), i32x4_shuffle::<2, 3, 6, 7>(ab, cd)))
    }
}

impl I32x4 {
    pub const ZERO: Self = Self(i32x4(0, 0, 0, 0));

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        Self(i32x4_add(self.0, other.0))
    }

    #[inline(always)]
    pub fn sub(self, other: Self) -> Self {
        Self(i32x4_sub(self.0, other.0))
    }

    #[inline(always)]
    pub fn load(values: &[u32; 4]) -> Self {
        Self(load(values))
    }

    #[inline(always)]
    pub fn shift_left<const BITS: u32>(self) -> Self {
        Self(i32x4_shl(self.0, BITS))
    }

    /// With copies of the sign from the left.
    #[inline(always)]
    pub fn shift_right<const BITS: u32>(self) -> Self {
        Self(i32x4_shr(self.0, BITS))
    }

    #[inline(always)]
    pub fn and(self, mask: u32) -> Self {
        Self(v128_and(self.0, u32x4_splat(mask)))
    }

    /// The same bits as floats.
    #[inline(always)]
    pub fn as_f32(self) -> F32x4 {
        F32x4(self.0)
    }

    /// self + the products of bytes, added in fours: of signed ones with others that are 127 at most.
    #[inline(always)]
    pub fn add_byte_dots(self, signed: U8x16, positive: U8x16) -> Self {
        #[cfg(target_feature = "relaxed-simd")]
        return Self(i32x4_relaxed_dot_i8x16_i7x16_add(signed.0, positive.0, self.0));
        #[cfg(not(target_feature = "relaxed-simd"))]
        return {
            let low = i32x4_extadd_pairwise_i16x8(i16x8_extmul_low_i8x16(signed.0, positive.0));
            let high = i32x4_extadd_pairwise_i16x8(i16x8_extmul_high_i8x16(signed.0, positive.0));
            let (even, odd) = (i32x4_shuffle::<0, 2, 4, 6>(low, high), i32x4_shuffle::<1, 3, 5, 7>(low, high));
            Self(i32x4_add(self.0, i32x4_add(even, odd)))
        };
    }

    #[inline(always)]
    pub fn to_f32(self) -> F32x4 {
        F32x4(f32x4_convert_i32x4(self.0))
    }

    #[inline(always)]
    pub fn to_array(self) -> [i32; 4] {
        // SAFETY: both types are 16 bytes without invalid values.
        unsafe { core::mem::transmute(self.0) }
    }
}

impl I16x8 {
    pub const ZERO: Self = Self(i16x8(0, 0, 0, 0, 0, 0, 0, 0));

    /// One pair, four times.
    #[inline(always)]
    pub fn splat_pair(pair: &[i16; 2]) -> Self {
        // SAFETY: four bytes are read, as many as the array has.
        Self(unsafe { v128_load32_splat(pair.as_ptr().cast()) })
    }

    #[inline(always)]
    pub fn from_bytes(bytes: &[u8; 16]) -> Self {
        Self(load(bytes))
    }

    /// Of each lane's four nibbles the one at `AT`, counted from the lowest.
    #[inline(always)]
    pub fn nibble<const AT: u32>(self) -> Self {
        match AT {
            0 => Self(v128_and(self.0, u16x8_splat(15))),
            3 => Self(u16x8_shr(self.0, 12)),
            _ => Self(v128_and(u16x8_shr(self.0, 4 * AT), u16x8_splat(15))),
        }
    }

    /// Each lane's low byte, signed.
    #[inline(always)]
    pub fn low_bytes(self) -> Self {
        Self(i16x8_shr(i16x8_shl(self.0, 8), 8))
    }

    /// Each lane's high byte, signed.
    #[inline(always)]
    pub fn high_bytes(self) -> Self {
        Self(i16x8_shr(self.0, 8))
    }

    /// Of numbers of 14 bits the digits to base 128, those above signed: above 0 4 1 5, below 0 4 1 5, above 2 6 3 7,
    /// below 2 6 3 7.
    #[inline(always)]
    pub fn digits(self) -> U8x16 {
        let (above, below) = (i16x8_shr(self.0, 7), v128_and(self.0, i16x8_splat(127)));
        let bytes = i8x16_narrow_i16x8(above, below);
        U8x16(i8x16_shuffle::<0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15>(bytes, bytes))
    }

    /// Of two vectors' numbers of 14 bits the digits above + 64: of each 0 4 1 5 2 6 3 7.
    #[inline(always)]
    pub fn positive_digits(self, other: Self) -> U8x16 {
        let above = |numbers: v128| i16x8_add(i16x8_shr(numbers, 7), i16x8_splat(64));
        let bytes = i8x16_narrow_i16x8(above(self.0), above(other.0));
        U8x16(i8x16_shuffle::<0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15>(bytes, bytes))
    }

    /// Sixteen bits each, whatever they mean.
    #[inline(always)]
    pub fn load(values: &[u16; 8]) -> Self {
        Self(load(values))
    }

    /// The lowest bits of each.
    #[inline(always)]
    pub fn lowest<const BITS: usize>(self) -> Self {
        Self(v128_and(self.0, u16x8_splat((1 << BITS) - 1)))
    }

    /// The others, moved to their place.
    #[inline(always)]
    pub fn without_lowest<const BITS: usize>(self) -> Self {
        Self(u16x8_shr(self.0, BITS as u32))
    }

    /// These as low bytes and others as high ones. They must fit, without a sign.
    #[inline(always)]
    pub fn beside(self, high: Self) -> U8x16 {
        U8x16(v128_or(self.0, i16x8_shl(high.0, 8)))
    }

    /// Two vectors' values, which must fit.
    #[inline(always)]
    pub fn narrow(low: I32x4, high: I32x4) -> Self {
        Self(i16x8_narrow_i32x4(low.0, high.0))
    }

    #[inline(always)]
    pub fn to_array(self) -> [i16; 8] {
        // SAFETY: both types are 16 bytes without invalid values.
        unsafe { core::mem::transmute(self.0) }
    }

    /// Products of neighbours, added in pairs.
    #[inline(always)]
    pub fn dot(self, other: Self) -> I32x4 {
        I32x4(i32x4_dot_i16x8(self.0, other.0))
    }
}

impl U8x16 {
    #[inline(always)]
    pub fn load(bytes: &[u8; 16]) -> Self {
        Self(load(bytes))
    }

    #[inline(always)]
    pub fn low_nibbles(self) -> Self {
        Self(v128_and(self.0, u8x16_splat(0x0f)))
    }

    #[inline(always)]
    pub fn high_nibbles(self) -> Self {
        Self(v128_and(u16x8_shr(self.0, 4), u8x16_splat(0x0f)))
    }

    /// Four bytes, four times.
    #[inline(always)]
    pub fn splat_four(four: &[u8; 4]) -> Self {
        // SAFETY: four bytes are read, as many as the array has.
        Self(unsafe { v128_load32_splat(four.as_ptr().cast()) })
    }

    #[inline(always)]
    pub fn to_array(self) -> [u8; 16] {
        // SAFETY: both types are 16 bytes without invalid values.
        unsafe { core::mem::transmute(self.0) }
    }

    /// What is in `values` at each, which must be below 16.
    #[inline(always)]
    pub fn look_up(self, values: &[i8; 16]) -> Self {
        // Of such an index every engine has the same to say.
        #[cfg(target_feature = "relaxed-simd")]
        return Self(i8x16_relaxed_swizzle(load(values), self.0));
        #[cfg(not(target_feature = "relaxed-simd"))]
        return Self(i8x16_swizzle(load(values), self.0));
    }

    /// The same bits as eight lanes.
    #[inline(always)]
    pub fn as_lanes(self) -> I16x8 {
        I16x8(self.0)
    }
}

/// Whether this engine makes one or a few instructions of [`I32x4::add_byte_dots`], so that two of it take less than the
/// 16-bit products of as many numbers.
///
/// Asked of a product whose answer is the engine's choice, which tells how it computes: `vpdpbusd` takes the second bytes
/// for positive ones, ARM's `sdot` and `vpdpbssd` for signed ones. An x86 without them has to add pairs in 16 bits first,
/// which saturate, and takes five instructions for each product; nor is any other answer trusted to be quick.
pub fn byte_dots_are_fast() -> bool {
    #[cfg(target_feature = "relaxed-simd")]
    {
        let [smallest, ones] = core::hint::black_box([[0x80; 16], [0xff; 16]]);
        let [dot, ..] = I32x4::ZERO.add_byte_dots(U8x16::load(&smallest), U8x16::load(&ones)).to_array();
        matches!(dot, -130_560 | 512)
    }
    #[cfg(not(target_feature = "relaxed-simd"))]
    false
}
