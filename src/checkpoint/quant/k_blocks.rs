//! The K formats: blocks of 256 with small integer scales for parts of 16 or 32 elements, and an f16 scale for those.

use super::blocks::{IQ4_VALUES, nibble, scale};
use super::levels::Levels;

/// x = (d · s) · q − (dmin · m), s and m for each 16 elements
///
///      0  s, m  16 bytes: s low half, m high half
///     16  q     64 bytes, 2 bits each: 128 elements are 32 bytes, bits 0–1 the first 32 elements, 2–3 the next, …
///     80  d     f16
///     82  dmin  f16
pub(super) fn q2_k(bytes: &[u8; 84], out: &mut [Levels; 8]) {
    let (d, dmin) = (scale(bytes, 80), scale(bytes, 82));
    for part in 0..16 {
        let (s, m) = (d * (bytes[part] & 15) as f32, dmin * (bytes[part] >> 4) as f32);
        out[part / 2].set_half(part % 2, s, -m, |i| two_bits(&bytes[16..80], part, i) as i8);
    }
}

/// Element `i` of the 16 of `part`, of 256 2-bit quants in 64 bytes.
pub(super) fn two_bits(quants: &[u8], part: usize, i: usize) -> u8 {
    let (half, shift, column) = (part / 8, part % 8 / 2 * 2, part % 2 * 16 + i);
    quants[half * 32 + column] >> shift & 3
}

/// x = d · (s − 32) · (q − 4 if the mask bit is 0), s for each 16 elements
///
///       0  mask  32 bytes: byte i, bit j is for element 32 j + i
///      32  q     64 bytes, 2 bits each, as in Q2_K
///      96  s     12 bytes, 6 bits each: bytes 0–7 hold the low four bits of scale i and i + 8,
///                bytes 8–11 the high two bits of scales i, i + 4, i + 8, i + 12
///     108  d     f16
pub(super) fn q3_k(bytes: &[u8; 110], out: &mut [Levels; 8]) {
    let (d, scales) = (scale(bytes, 108), q3_k_scales(&bytes[96..108]));
    for (part, scale) in scales.into_iter().enumerate() {
        let s = d * f32::from(scale);
        out[part / 2].set_half(part % 2, s, 0.0, |i| {
            let mask = bytes[part % 2 * 16 + i] >> (part / 2) & 1;
            two_bits(&bytes[32..96], part, i) as i8 - if mask == 0 { 4 } else { 0 }
        });
    }
}

/// The scales of the 16 parts of a Q3_K block, −32 to 31, from the 12 bytes that pack them.
pub fn q3_k_scales(packed: &[u8]) -> [i8; 16] {
    std::array::from_fn(|part| {
        let low = packed[part % 8] >> (part / 8 * 4) & 15;
        let high = packed[8 + part % 4] >> (part / 4 * 2) & 3;
        (low | high << 4) as i8 - 32
    })
}

/// Scale and minimum of part `j` of 8, 6 bits each, as Q4_K and Q5_K pack them in 12 bytes:
/// parts 0–3 in bytes 0–3 (scale) and 4–7 (minimum), low six bits; parts 4–7 have their low four bits in
/// bytes 8–11 (scale low half, minimum high half) and their high two bits on top of bytes 0–3 and 4–7.
pub fn scale_and_minimum(packed: &[u8], j: usize) -> (u8, u8) {
    if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4)
    }
}

/// x = (d · s) · q − (dmin · m), s and m for each 32 elements
///
///      0  d     f16
///      2  dmin  f16
///      4  s, m  12 bytes, see [`scale_and_minimum`]
///     16  q     128 bytes, 4 bits each: 64 elements are 32 bytes, low halves first
pub(super) fn q4_k(bytes: &[u8; 144], out: &mut [Levels; 8]) {
    let (d, dmin) = (scale(bytes, 0), scale(bytes, 2));
    for (part, out) in out.iter_mut().enumerate() {
        let (s, m) = scale_and_minimum(&bytes[4..16], part);
        *out = Levels::new(d * s as f32, -dmin * m as f32, |i| {
            (bytes[16 + part / 2 * 32 + i] >> (part % 2 * 4) & 15) as i8
        });
    }
}

/// x = (d · s) · q − (dmin · m), s and m for each 32 elements
///
///      0  d     f16
///      2  dmin  f16
///      4  s, m  12 bytes, see [`scale_and_minimum`]
///     16  qh    32 bytes, the fifth bits: byte i, bit j is for element 32 j + i
///     48  ql    128 bytes, 4 bits each, as in Q4_K
pub(super) fn q5_k(bytes: &[u8; 176], out: &mut [Levels; 8]) {
    let (d, dmin) = (scale(bytes, 0), scale(bytes, 2));
    for (part, out) in out.iter_mut().enumerate() {
        let (s, m) = scale_and_minimum(&bytes[4..16], part);
        *out = Levels::new(d * s as f32, -dmin * m as f32, |i| {
            let low = bytes[48 + part / 2 * 32 + i] >> (part % 2 * 4) & 15;
            let high = bytes[16 + i] >> part & 1;
            (low | high << 4) as i8
        });
    }
}

/// x = (d · s) · (q − 32), s a signed byte for each 16 elements
///
///       0  ql  128 bytes, the low four bits: 128 elements are 64 bytes, all low halves first
///     128  qh  64 bytes, the high two bits: 128 elements are 32 bytes, as in Q2_K
///     192  s   16 signed bytes
///     208  d   f16
pub(super) fn q6_k(bytes: &[u8; 210], out: &mut [Levels; 8]) {
    let d = scale(bytes, 208);
    for part in 0..16 {
        let s = d * bytes[192 + part] as i8 as f32;
        let (half, low_half, column) = (part / 8, part % 8 / 4, part % 4 * 16);
        out[part / 2].set_half(part % 2, s, 0.0, |i| {
            let low = bytes[half * 64 + column + i] >> (low_half * 4) & 15;
            let high = two_bits(&bytes[128..192], part, i);
            (low | high << 4) as i8 - 32
        });
    }
}

/// x = (d · s) · values[q], s for each 32 elements, values those of IQ4_NL
///
///     0  d  f16
///     2  s  6 bytes, see [`iq4_xs_scales`]
///     8  q  128 bytes, 4 bits each: 32 elements are 16 bytes, as in IQ4_NL
pub(super) fn iq4_xs(bytes: &[u8; 136], out: &mut [Levels; 8]) {
    let (d, scales) = (scale(bytes, 0), iq4_xs_scales(&bytes[2..8]));
    for ((s, q), out) in scales.into_iter().zip(bytes[8..].chunks_exact(16)).zip(out) {
        *out = Levels::new(d * f32::from(s), 0.0, |i| IQ4_VALUES[nibble(q, i) as usize]);
    }
}

/// The scales of the eight parts of an IQ4_XS block, −32 to 31, from the 6 bytes that pack them: the high two bits of all in
/// bytes 0 and 1, the first lowest; the low four bits of scales 2 i (low half) and 2 i + 1 in byte 2 + i.
pub fn iq4_xs_scales(packed: &[u8]) -> [i8; 8] {
    std::array::from_fn(|part| {
        let low = packed[2 + part / 2] >> (part % 2 * 4) & 15;
        let high = packed[part / 4] >> (part % 4 * 2) & 3;
        (low | high << 4) as i8 - 32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
        parts.concat().try_into().unwrap()
    }
    fn floats<const N: usize>(decode: fn(&[u8; N], &mut [Levels; 8]), bytes: [u8; N]) -> [f32; 256] {
        let (mut levels, mut out) = ([Levels::default(); 8], [0.0; 256]);
        decode(&bytes, &mut levels);
        levels.iter().zip(out.as_chunks_mut().0).for_each(|(levels, out)| levels.to_floats(out));
        out
    }
    /// f16.
    const HALF: &[u8] = &[0x00, 0x38];
    const TWO: &[u8] = &[0x00, 0x40];

    #[test]
    fn q2_k_takes_two_bits_a_row_of_32() {
        // Scales 3, minimums 1; the bits of each byte are 3, 2, 1, 0 from the top.
        let out = floats(q2_k, block(&[&[0x13; 16], &[0b11_10_01_00; 64], HALF, TWO]));
        for (row, x) in [-2.0, -0.5, 1.0, 2.5, -2.0, -0.5, 1.0, 2.5].into_iter().enumerate() {
            assert_eq!(out[row * 32..][..32], [x; 32], "row {row}");
        }
    }

    #[test]
    fn q3_k_subtracts_four_where_the_mask_is_clear() {
        // Every scale is 33 (low bits 1, high bits 2), so d · (s − 32) = 0.5. Mask: rows 0 and 7 of 32.
        let scales = [[0x11; 8].as_slice(), &[0b10_10_10_10; 4]].concat();
        let out = floats(q3_k, block(&[&[0x81; 32], &[0b11_10_01_00; 64], &scales, HALF]));
        for (row, x) in [0.0, -1.5, -1.0, -0.5, -2.0, -1.5, -1.0, 1.5].into_iter().enumerate() {
            assert_eq!(out[row * 32..][..32], [x; 32], "row {row}");
        }
    }

    #[test]
    fn scales_of_q4_k_and_q5_k_are_split() {
        let mut packed = [0; 12];
        (packed[1], packed[5], packed[9]) = (0b10_000011, 0b01_000101, 0b1001_0110);
        assert_eq!(scale_and_minimum(&packed, 1), (3, 5));
        assert_eq!(scale_and_minimum(&packed, 5), (0b10_0110, 0b01_1001));
    }

    #[test]
    fn q4_k_takes_low_halves_then_high_halves() {
        let scales = [1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0x11];
        let out = floats(q4_k, block(&[HALF, TWO, &scales, &[0x52; 128]]));
        for (row, x) in [1.0, 2.5, 1.0, 0.5, 1.0, 2.5, 1.0, 0.5].into_iter().enumerate() {
            assert_eq!(out[row * 32..][..32], [x; 32], "row {row}");
        }
    }

    #[test]
    fn q5_k_adds_a_fifth_bit() {
        let scales = [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1];
        let out = floats(q5_k, block(&[HALF, TWO, &scales, &[0x82; 32], &[0x52; 128]]));
        for (row, x) in [1.0, 10.5, 1.0, 2.5, 1.0, 2.5, 1.0, 10.5].into_iter().enumerate() {
            assert_eq!(out[row * 32..][..32], [x; 32], "row {row}");
        }
    }

    #[test]
    fn q6_k_joins_four_and_two_bits() {
        // Rows of 32 take low halves (5, 5, then high 6, 6) and two more bits (0, 1, 2, 3); scale −1.
        let out = floats(q6_k, block(&[&[0x65; 128], &[0b11_10_01_00; 64], &[0xff; 16], HALF]));
        for (row, q) in [5, 21, 38, 54, 5, 21, 38, 54].into_iter().enumerate() {
            assert_eq!(out[row * 32..][..32], [-0.5 * (q - 32) as f32; 32], "row {row}");
        }
    }

    #[test]
    fn scales_of_iq4_xs_are_split() {
        // High bits 0, 1, 2, 3 and again; low bits 1 and 2 in turn.
        let packed = [0b11_10_01_00, 0b11_10_01_00, 0x21, 0x21, 0x21, 0x21];
        assert_eq!(iq4_xs_scales(&packed), [-31, -14, 1, 18, -31, -14, 1, 18]);
    }

    #[test]
    fn parts_of_iq4_xs_have_codes_of_their_own() {
        // All scales are 1: high bits 2, low bits 1. Code 8 is 1, code 0 is −127.
        let quants: Vec<u8> = (0..8).flat_map(|part| [if part == 3 { 0x08 } else { 0x80 }; 16]).collect();
        let out = floats(iq4_xs, block(&[HALF, &[0b10_10_10_10; 2], &[0x11; 4], &quants]));
        for (part, part_of) in out.chunks(32).enumerate() {
            let [low, high] = if part == 3 { [0.5, -63.5] } else { [-63.5, 0.5] };
            assert_eq!(
                (part_of[..16].to_vec(), part_of[16..].to_vec()),
                (vec![low; 16], vec![high; 16]),
                "part {part}"
            );
        }
    }
}
