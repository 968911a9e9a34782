//! 128-bit vectors: the few operations that the kernels are written in.
//!
//! `wasm` maps each to one or two SIMD instructions; `portable` is the same in plain Rust, so that
//! every kernel runs, and is tested, natively too.

mod halves;

#[cfg(target_arch = "wasm32")]
mod wasm;
#[cfg(target_arch = "wasm32")]
pub use wasm::*;

#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(not(target_arch = "wasm32"))]
pub use portable::*;

pub use halves::{f16_to_f32, f32_to_f16};

impl F32x4 {
    /// Four values from the front of a slice. Panics if it is shorter.
    #[inline(always)]
    pub fn from_slice(values: &[f32]) -> Self {
        Self::load(values[..4].try_into().expect("four values"))
    }

    /// Writes to the front of a slice. Panics if it is shorter.
    #[inline(always)]
    pub fn to_slice(self, out: &mut [f32]) {
        out[..4].copy_from_slice(&self.to_array());
    }

    /// The largest of the lanes. What is no number is passed over, or is the answer.
    #[inline(always)]
    pub fn largest(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        let larger = |a: f32, b: f32| if a < b { b } else { a };
        larger(larger(a, c), larger(b, d))
    }

    /// The lanes' sum, pairwise.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        (a + c) + (b + d)
    }

    /// eˣ within 2 units in the last place for x in −87 … 88; smaller arguments give 0.
    ///
    /// Cephes' `expf`: x = n·ln 2 + r with |r| ≤ ln 2 / 2, and a polynomial of degree 5 for eʳ.
    #[inline(always)]
    pub fn exp(self) -> Self {
        const LN_2_HIGH: f32 = 0.693_359_4;
        const LN_2_LOW: f32 = -2.121_944_4e-4;
        const POLYNOMIAL: [f32; 6] =
            [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
        let x = self.min(Self::splat(88.0)).max(Self::splat(-104.0));
        let n = x.mul(Self::splat(std::f32::consts::LOG2_E)).nearest();
        let r = x.sub(n.mul(Self::splat(LN_2_HIGH))).sub(n.mul(Self::splat(LN_2_LOW)));
        let mut sum = Self::splat(POLYNOMIAL[0]);
        for coefficient in &POLYNOMIAL[1..] {
            sum = sum.mul_add(r, Self::splat(*coefficient));
        }
        let mantissa = sum.mul_add(r.mul(r), r.add(Self::splat(1.0)));
        mantissa.mul(n.exp2_int())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_a_few_units_in_the_last_place() {
        for step in -8700..8800 {
            let x = step as f32 * 0.01;
            let [value, ..] = F32x4::splat(x).exp().to_array();
            let exact = f64::from(x).exp();
            assert!((f64::from(value) - exact).abs() <= 3e-7 * exact, "exp({x}) = {value}, not {exact}");
        }
        assert_eq!(F32x4::splat(f32::NEG_INFINITY).exp().to_array()[0], 0.0);
    }

    #[test]
    fn a_vector_of_halves_converts_as_each_does() {
        for bits in (0..0x7c00).chain(0x8000..0xfc00) {
            assert_eq!(F32x4::from_f16(&[bits; 4]).to_array()[1].to_bits(), f16_to_f32(bits).to_bits());
        }
        for bits in 0..=0xffff {
            assert_eq!(F32x4::from_any_f16(&[bits; 4]).to_array()[1].to_bits(), f16_to_f32(bits).to_bits());
        }
    }

    #[test]
    fn eight_halves_convert_by_their_places() {
        let scale = 2f32.powi(-112);
        for first in (0..0x7c00u16).step_by(4).chain((0x8000..0xfc00).step_by(4)) {
            let halves = std::array::from_fn(|i| first + i as u16 / 2 + 2 * (i as u16 % 2));
            let halves = halves.map(|half: u16| if half & 0x7c00 == 0x7c00 { half - 0x400 } else { half });
            for (odd, vector) in F32x4::from_halves(&halves).into_iter().enumerate() {
                for (i, value) in vector.to_array().into_iter().enumerate() {
                    assert_eq!(value.to_bits(), (f16_to_f32(halves[2 * i + odd]) * scale).to_bits());
                }
            }
        }
    }

    #[test]
    fn the_largest_lane_is_found_wherever_it_is() {
        for at in 0..4 {
            let values: [f32; 4] = std::array::from_fn(|i| if i == at { 3.0 } else { -(i as f32) });
            assert_eq!(F32x4::load(&values).largest(), 3.0);
        }
    }

    #[test]
    fn a_dot_product_is_the_integer_sum_of_pairs() {
        let bytes: [u8; 16] = std::array::from_fn(|i| (i as u8).wrapping_mul(37));
        let of_pairs = |value: &dyn Fn(usize) -> i32, other: &dyn Fn(usize) -> i32| {
            std::array::from_fn(|i| (2 * i..2 * i + 2).map(|i| value(i) * other(i)).sum::<i32>())
        };
        let (low, high) =
            (|i: usize| i32::from(bytes[2 * i].cast_signed()), |i: usize| i32::from(bytes[2 * i + 1].cast_signed()));
        let nibble = |i: usize, at: usize| i32::from(bytes[2 * i + at / 2] >> (at % 2 * 4) & 15);
        let lanes = I16x8::from_bytes(&bytes);
        assert_eq!(lanes.low_bytes().dot(lanes.nibble::<0>()).to_array(), of_pairs(&low, &|i| nibble(i, 0)));
        assert_eq!(lanes.high_bytes().dot(lanes.nibble::<1>()).to_array(), of_pairs(&high, &|i| nibble(i, 1)));
        assert_eq!(lanes.low_bytes().dot(lanes.nibble::<2>()).to_array(), of_pairs(&low, &|i| nibble(i, 2)));
        assert_eq!(lanes.high_bytes().dot(lanes.nibble::<3>()).to_array(), of_pairs(&high, &|i| nibble(i, 3)));
    }

    #[test]
    fn a_dot_product_of_bytes_is_the_integer_sum_of_fours() {
        let signed: [u8; 16] = std::array::from_fn(|i| (i as u8).wrapping_mul(37).wrapping_add(128));
        let positive: [u8; 16] = std::array::from_fn(|i| 127 - (i * 5) as u8);
        let before = I32x4::load(&[1, 2, 3, u32::MAX]);
        let found = before.add_byte_dots(U8x16::load(&signed), U8x16::load(&positive)).to_array();
        let expected = |lane: usize| {
            let products = 4 * lane..4 * lane + 4;
            products.map(|i| i32::from(signed[i].cast_signed()) * i32::from(positive[i])).sum::<i32>()
        };
        assert_eq!(found, std::array::from_fn(|lane| expected(lane) + [1, 2, 3, -1][lane]));
    }
}
