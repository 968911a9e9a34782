//! The vectors as arrays: for native tests, and the definition of what each operation means.

use super::halves::{f16_to_f32, finite_f16_to_f32};

#[derive(Clone, Copy)]
pub struct F32x4([f32; 4]);
#[derive(Clone, Copy)]
pub struct I32x4([i32; 4]);
#[derive(Clone, Copy)]
pub struct I16x8([i16; 8]);
#[derive(Clone, Copy)]
pub struct U8x16([u8; 16]);

impl F32x4 {
    pub const ZERO: Self = Self([0.0; 4]);

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }

    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    #[inline(always)]
    pub fn load(values: &[f32; 4]) -> Self {
        Self(*values)
    }

    #[inline(always)]
    pub fn from_f16(halves: &[u16; 4]) -> Self {
        Self(halves.map(finite_f16_to_f32))
    }

    #[inline(always)]
    pub fn from_any_f16(halves: &[u16; 4]) -> Self {
        Self(halves.map(f16_to_f32))
    }

    #[inline(always)]
    pub fn from_halves(halves: &[u16; 8]) -> [Self; 2] {
        let scaled = |half: u16| finite_f16_to_f32(half) * f32::from_bits((127 - 112) << 23);
        [0, 1].map(|first| Self(std::array::from_fn(|i| scaled(halves[2 * i + first]))))
    }

    #[inline(always)]
    pub fn from_bf16(halves: &[u16; 4]) -> Self {
        Self(halves.map(|half| f32::from_bits(u32::from(half) << 16)))
    }

    #[inline(always)]
    pub fn to_array(self) -> [f32; 4] {
        self.0
    }

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    pub fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    pub fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    pub fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    pub fn mul_add(self, factor: Self, addend: Self) -> Self {
        self.mul(factor).add(addend)
    }

    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { b } else { a })
    }

    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if b < a { b } else { a })
    }

    #[inline(always)]
    pub fn abs(self) -> Self {
        Self(self.0.map(f32::abs))
    }

    #[inline(always)]
    pub fn with_sign_of(self, other: Self) -> Self {
        self.zip(other, f32::copysign)
    }

    #[inline(always)]
    pub fn nearest(self) -> Self {
        Self(self.0.map(f32::round_ties_even))
    }

    #[inline(always)]
    pub fn exp2_int(self) -> Self {
        Self(self.0.map(|n| f32::from_bits(((n as i32 + 127).max(0) as u32) << 23)))
    }

    #[inline(always)]
    pub fn to_int(self) -> I32x4 {
        I32x4(self.0.map(|x| x as i32))
    }

    #[inline(always)]
    pub fn sums(rows: [Self; 4]) -> Self {
        Self(rows.map(|row| row.sum()))
    }
}

impl I32x4 {
    pub const ZERO: Self = Self([0; 4]);

    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    #[inline(always)]
    pub fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }

    #[inline(always)]
    pub fn load(values: &[u32; 4]) -> Self {
        Self(values.map(u32::cast_signed))
    }

    #[inline(always)]
    pub fn shift_left<const BITS: u32>(self) -> Self {
        Self(self.0.map(|x| x << BITS))
    }

    #[inline(always)]
    pub fn shift_right<const BITS: u32>(self) -> Self {
        Self(self.0.map(|x| x >> BITS))
    }

    #[inline(always)]
    pub fn and(self, mask: u32) -> Self {
        Self(self.0.map(|x| x & mask.cast_signed()))
    }

    #[inline(always)]
    pub fn as_f32(self) -> F32x4 {
        F32x4(self.0.map(|x| f32::from_bits(x.cast_unsigned())))
    }

    #[inline(always)]
    pub fn add_byte_dots(self, signed: U8x16, positive: U8x16) -> Self {
        let product = |i: usize| i32::from(signed.0[i].cast_signed()) * i32::from(positive.0[i]);
        Self(std::array::from_fn(|i| self.0[i] + (4 * i..4 * i + 4).map(product).sum::<i32>()))
    }

    #[inline(always)]
    pub fn to_f32(self) -> F32x4 {
        F32x4(self.0.map(|x| x as f32))
    }

    #[inline(always)]
    pub fn to_array(self) -> [i32; 4] {
        self.0
    }
}

impl I16x8 {
    pub const ZERO: Self = Self([0; 8]);

    #[inline(always)]
    pub fn splat_pair(pair: &[i16; 2]) -> Self {
        Self(std::array::from_fn(|i| pair[i % 2]))
    }

    #[inline(always)]
    pub fn from_bytes(bytes: &[u8; 16]) -> Self {
        Self(std::array::from_fn(|i| i16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]])))
    }

    #[inline(always)]
    pub fn nibble<const AT: u32>(self) -> Self {
        Self(self.0.map(|x| x >> (4 * AT) & 15))
    }

    #[inline(always)]
    pub fn low_bytes(self) -> Self {
        Self(self.0.map(|x| i16::from(x as i8)))
    }

    #[inline(always)]
    pub fn high_bytes(self) -> Self {
        Self(self.0.map(|x| x >> 8))
    }

    #[inline(always)]
    pub fn digits(self) -> U8x16 {
        let (above, below) = (self.0.map(|x| (x >> 7) as u8), self.0.map(|x| (x & 127) as u8));
        let fours = [(above, 0), (below, 0), (above, 2), (below, 2)];
        U8x16(std::array::from_fn(|i| {
            let (digits, first) = fours[i / 4];
            digits[first + [0, 4, 1, 5][i % 4]]
        }))
    }

    #[inline(always)]
    pub fn positive_digits(self, other: Self) -> U8x16 {
        const ORDER: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];
        U8x16(std::array::from_fn(|i| (([self, other][i / 8].0[ORDER[i % 8]] >> 7) + 64) as u8))
    }

    #[inline(always)]
    pub fn load(values: &[u16; 8]) -> Self {
        Self(values.map(u16::cast_signed))
    }

    #[inline(always)]
    pub fn lowest<const BITS: usize>(self) -> Self {
        Self(self.0.map(|x| x & ((1 << BITS) - 1)))
    }

    #[inline(always)]
    pub fn without_lowest<const BITS: usize>(self) -> Self {
        Self(self.0.map(|x| (x.cast_unsigned() >> BITS).cast_signed()))
    }

    #[inline(always)]
    pub fn beside(self, high: Self) -> U8x16 {
        let lanes = [self, high].map(|side| side.0);
        U8x16(std::array::from_fn(|i| lanes[i % 2][i / 2] as u8))
    }

    #[inline(always)]
    pub fn narrow(low: I32x4, high: I32x4) -> Self {
        Self(std::array::from_fn(|i| if i < 4 { low.0[i] as i16 } else { high.0[i - 4] as i16 }))
    }

    #[inline(always)]
    pub fn to_array(self) -> [i16; 8] {
        self.0
    }

    #[inline(always)]
    pub fn dot(self, other: Self) -> I32x4 {
        let product = |i: usize| i32::from(self.0[i]) * i32::from(other.0[i]);
        I32x4(std::array::from_fn(|i| product(2 * i) + product(2 * i + 1)))
    }
}

impl U8x16 {
    #[inline(always)]
    pub fn load(bytes: &[u8; 16]) -> Self {
        Self(*bytes)
    }

    #[inline(always)]
    pub fn low_nibbles(self) -> Self {
        Self(self.0.map(|byte| byte & 15))
    }

    #[inline(always)]
    pub fn high_nibbles(self) -> Self {
        Self(self.0.map(|byte| byte >> 4))
    }

    #[inline(always)]
    pub fn splat_four(four: &[u8; 4]) -> Self {
        Self(std::array::from_fn(|i| four[i % 4]))
    }

    #[inline(always)]
    pub fn to_array(self) -> [u8; 16] {
        self.0
    }

    #[inline(always)]
    pub fn look_up(self, values: &[i8; 16]) -> Self {
        Self(self.0.map(|index| values[usize::from(index)].cast_unsigned()))
    }

    #[inline(always)]
    pub fn as_lanes(self) -> I16x8 {
        I16x8::from_bytes(&self.0)
    }
}

/// No: what other devices are compared with has the finer levels.
pub fn byte_dots_are_fast() -> bool {
    false
}
