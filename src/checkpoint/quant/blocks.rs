//! Floats, and the formats with blocks of 32: one scale, in most an f16, for 32 small integers.
//!
//! In the 4- and 5-bit formats byte i of the quants holds element i in its low half and element i + 16 in its high half.

use super::levels::Levels;
use half::{bf16, f16};

pub(super) fn f32(bytes: &[u8; 4], out: &mut [f32; 1]) {
    out[0] = f32::from_le_bytes(*bytes);
}

pub(super) fn f16(bytes: &[u8; 2], out: &mut [f32; 1]) {
    out[0] = f16::from_le_bytes(*bytes).to_f32();
}

pub(super) fn bf16(bytes: &[u8; 2], out: &mut [f32; 1]) {
    out[0] = bf16::from_le_bytes(*bytes).to_f32();
}

/// The f16 at byte `at`, widened.
pub(super) fn scale(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// x = d · (q − 8)
///
///     0  d   f16
///     2  q   16 bytes, 4 bits each
pub(super) fn q4_0(bytes: &[u8; 18], out: &mut [Levels; 1]) {
    let d = scale(bytes, 0);
    out[0] = Levels::new(d, -8.0 * d, |i| nibble(&bytes[2..], i) as i8);
}

/// x = d · q + m
///
///     0  d   f16
///     2  m   f16
///     4  q   16 bytes, 4 bits each
pub(super) fn q4_1(bytes: &[u8; 20], out: &mut [Levels; 1]) {
    out[0] = Levels::new(scale(bytes, 0), scale(bytes, 2), |i| nibble(&bytes[4..], i) as i8);
}

/// Element `i` of 4-bit quants.
pub(super) fn nibble(quants: &[u8], i: usize) -> u8 {
    if i < 16 { quants[i] & 15 } else { quants[i - 16] >> 4 }
}

/// Element `i` of 5-bit quants: the low four bits of each in `low`, the fifth bits in `high`, a bit for each.
fn five_bits(high: &[u8], low: &[u8], i: usize) -> i8 {
    (nibble(low, i) | (high[i / 8] >> (i % 8) & 1) << 4) as i8
}

/// x = d · (q − 16)
///
///     0  d   f16
///     2  qh  4 bytes, the fifth bit of each element
///     6  ql  16 bytes, 4 bits each
pub(super) fn q5_0(bytes: &[u8; 22], out: &mut [Levels; 1]) {
    out[0] = Levels::new(scale(bytes, 0), 0.0, |i| five_bits(&bytes[2..6], &bytes[6..], i) - 16);
}

/// x = d · q + m
///
///     0  d   f16
///     2  m   f16
///     4  qh  4 bytes, the fifth bit of each element
///     8  ql  16 bytes, 4 bits each
pub(super) fn q5_1(bytes: &[u8; 24], out: &mut [Levels; 1]) {
    out[0] = Levels::new(scale(bytes, 0), scale(bytes, 2), |i| five_bits(&bytes[4..8], &bytes[8..], i));
}

/// x = d · q
///
///     0  d   f16
///     2  q   32 signed bytes
pub(super) fn q8_0(bytes: &[u8; 34], out: &mut [Levels; 1]) {
    out[0] = Levels::new(scale(bytes, 0), 0.0, |i| bytes[2 + i] as i8);
}

/// What the 16 codes of IQ4_NL and IQ4_XS stand for: finer where weights are dense.
pub const IQ4_VALUES: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// x = d · values[q]
///
///     0  d   f16
///     2  q   16 bytes, 4 bits each
pub(super) fn iq4_nl(bytes: &[u8; 18], out: &mut [Levels; 1]) {
    out[0] = Levels::new(scale(bytes, 0), 0.0, |i| IQ4_VALUES[nibble(&bytes[2..], i) as usize]);
}

/// The numbers of E2M1, twice as large, so that they are whole: a sign, two bits of exponent and one of mantissa.
pub const E2M1_VALUES: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// x = 2^(e − 128) · values[q]: the OCP's microscaling format
/// (<https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf>), as gpt-oss has it.
///
///     0  e   a byte. 255, which is no number there, is one here, as in ggml
///     1  q   16 bytes, 4 bits each
pub(super) fn mxfp4(bytes: &[u8; 17], out: &mut [Levels; 1]) {
    let e = u32::from(bytes[0]);
    // The two least are subnormal floats.
    let scale = f32::from_bits(if e < 2 { 0x0020_0000 << e } else { (e - 1) << 23 });
    out[0] = Levels::new(scale, 0.0, |i| E2M1_VALUES[nibble(&bytes[1..], i) as usize]);
}

/// A block of MXFP4 from where gpt-oss' safetensors have it: an exponent of `…_scales` and 16 bytes of `…_blocks`, of which
/// byte i holds elements 2 i (low half) and 2 i + 1.
pub fn mxfp4_from_pairs(exponent: u8, pairs: &[u8; 16]) -> [u8; 17] {
    let element = |i: usize| pairs[i / 2] >> (i % 2 * 4) & 15;
    std::array::from_fn(|at| match at {
        0 => exponent,
        _ => element(at - 1) | element(at + 15) << 4,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block from its parts; 0x3800 is 0.5 as f16, 0xc000 is −2.
    fn block<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
        parts.concat().try_into().unwrap()
    }
    fn floats<const N: usize>(decode: fn(&[u8; N], &mut [Levels; 1]), bytes: [u8; N]) -> [f32; 32] {
        let (mut levels, mut out) = ([Levels::default()], [0.0; 32]);
        decode(&bytes, &mut levels);
        levels[0].to_floats(&mut out);
        out
    }
    const HALF: &[u8] = &[0x00, 0x38];
    const MINUS_TWO: &[u8] = &[0x00, 0xc0];

    #[test]
    fn floats_are_widened() {
        let mut out = [0.0];
        f32(&1.25f32.to_le_bytes(), &mut out);
        assert_eq!(out, [1.25]);
        f16(&[0x00, 0xc0], &mut out);
        assert_eq!(out, [-2.0]);
        f16(&[0x01, 0x00], &mut out);
        assert_eq!(out, [2f32.powi(-24)], "the smallest subnormal");
        bf16(&[0x80, 0x3f], &mut out);
        assert_eq!(out, [1.0]);
    }

    #[test]
    fn low_halves_come_first() {
        let mut out = floats(q4_0, block(&[HALF, &[0xf0; 16]]));
        assert_eq!(out[..16], [-4.0; 16]);
        assert_eq!(out[16..], [3.5; 16]);
        out = floats(q4_1, block(&[HALF, MINUS_TWO, &[0x1f; 16]]));
        assert_eq!(out[..16], [5.5; 16]);
        assert_eq!(out[16..], [-1.5; 16]);
        out = floats(iq4_nl, block(&[HALF, &[0x80; 16]]));
        assert_eq!(out[..16], [-63.5; 16]);
        assert_eq!(out[16..], [0.5; 16]);
    }

    #[test]
    fn the_fifth_bit_of_element_i_is_bit_i() {
        // Fifth bits of elements 1 and 31; every low half is 2, every high half 3.
        let mut out = floats(q5_0, block(&[HALF, &[2, 0, 0, 0x80], &[0x32; 16]]));
        assert_eq!((out[0], out[1], out[30], out[31]), (-7.0, 1.0, -6.5, 1.5));
        out = floats(q5_1, block(&[HALF, MINUS_TWO, &[2, 0, 0, 0x80], &[0x32; 16]]));
        assert_eq!((out[0], out[1], out[30], out[31]), (-1.0, 7.0, -0.5, 7.5));
    }

    #[test]
    fn scales_of_mxfp4_are_powers_of_two() {
        for (e, scale) in
            [(0, 2f32.powi(-127)), (1, 2f32.powi(-126)), (2, 2f32.powi(-125)), (127, 1.0), (254, 2f32.powi(127))]
        {
            let out = floats(mxfp4, block(&[&[e], &[0x2a; 16]]));
            assert_eq!(out[..16], [-scale; 16], "{e}");
            assert_eq!(out[16..], [scale; 16], "{e}");
        }
    }

    #[test]
    fn mxfp4_from_pairs_keeps_the_elements_order() {
        // Elements 0 to 15, then 15 to 0.
        let code = |i: usize| if i < 16 { i as u8 } else { 31 - i as u8 };
        let pairs = std::array::from_fn(|i| code(2 * i) | code(2 * i + 1) << 4);
        let out = floats(mxfp4, mxfp4_from_pairs(128, &pairs));
        let expected: [f32; 32] = std::array::from_fn(|i| f32::from(E2M1_VALUES[code(i) as usize]));
        assert_eq!(out, expected);
    }

    #[test]
    fn bytes_of_q8_0_are_signed() {
        let out = floats(q8_0, block(&[HALF, &[0x80], &[0x7f], &[0xff; 30]]));
        assert_eq!(out[..3], [-64.0, 63.5, -0.5]);
    }
}
