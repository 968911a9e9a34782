//! The formats of one bit an element, or of three values: one scale, an f16, for 128 or 256 of them.

use super::blocks::scale;
use super::k_blocks::two_bits;
use super::levels::Levels;

/// x = d where the bit is 1, else −d: Bonsai's weights. ggml has it since <https://github.com/ggml-org/llama.cpp/pull/21273>;
/// files of before then, which call it Q1_0_g128, have the same bytes under the same number.
///
///     0  d  f16
///     2  q  16 bytes, a bit each, the first element lowest
pub(super) fn q1_0(bytes: &[u8; 18], out: &mut [Levels; 4]) {
    let d = scale(bytes, 0);
    for (bits, out) in bytes[2..].chunks_exact(4).zip(out) {
        *out = Levels::new(2.0 * d, -d, |i| (bits[i / 8] >> (i % 8) & 1) as i8);
    }
}

/// x = d · (q − 1), q of 0, 1 and 2
///
///      0  q  52 bytes of five elements each, the last four of four: see [`third`]. Byte i of the first 32 has elements
///            i, 32 + i, …, 128 + i; byte i of the next 16 those 160 + i, 176 + i, …, 224 + i; byte i of the last
///            four those 240 + i, 244 + i, 248 + i, 252 + i
///     52  d  f16
pub(super) fn tq1_0(bytes: &[u8; 54], out: &mut [Levels; 8]) {
    let d = scale(bytes, 52);
    for (part, out) in out.iter_mut().enumerate() {
        *out = Levels::new(d, -d, |i| match part * 32 + i {
            at @ 0..160 => third(bytes[at % 32], at / 32),
            at @ 160..240 => third(bytes[32 + at % 16], (at - 160) / 16),
            at => third(bytes[48 + at % 4], (at - 240) / 4),
        });
    }
}

/// Element `n` of a byte: it is 256/243 times, rounded up, a number with five digits of base 3, the first element's highest.
fn third(byte: u8, n: usize) -> i8 {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    ((u16::from(byte.wrapping_mul(POWERS[n])) * 3) >> 8) as i8
}

/// x = d · (q − 1); q of 3, which no quantizer makes, is 2 · d, as in ggml
///
///      0  q  64 bytes, 2 bits each, as in Q2_K
///     64  d  f16
pub(super) fn tq2_0(bytes: &[u8; 66], out: &mut [Levels; 8]) {
    let d = scale(bytes, 64);
    for (part, out) in out.iter_mut().enumerate() {
        *out = Levels::new(d, -d, |i| two_bits(&bytes[..64], 2 * part + i / 16, i % 16) as i8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats<const N: usize, const PARTS: usize>(
        decode: fn(&[u8; N], &mut [Levels; PARTS]),
        parts: &[&[u8]],
    ) -> Vec<f32> {
        let mut levels = [Levels::default(); PARTS];
        decode(&parts.concat().try_into().unwrap(), &mut levels);
        let mut out = [0.0; 32];
        levels
            .iter()
            .flat_map(|levels| {
                levels.to_floats(&mut out);
                out
            })
            .collect()
    }
    /// 0.5 as f16.
    const HALF: &[u8] = &[0x00, 0x38];

    #[test]
    fn a_bit_of_q1_0_is_a_sign() {
        let mut quants = [0; 16];
        (quants[0], quants[15]) = (0b10, 0x80);
        let out = floats(q1_0, &[HALF, &quants]);
        let positive: Vec<usize> = (0..128).filter(|i| out[*i] == 0.5).collect();
        assert_eq!(positive, [1, 127]);
        assert!(out.iter().all(|x| x.abs() == 0.5));
    }

    #[test]
    fn every_number_of_base_three_comes_out_of_its_byte() {
        for number in 0..243u16 {
            let byte = (number * 256).div_ceil(243) as u8;
            let digits: [i8; 5] = std::array::from_fn(|n| (number / 3u16.pow(4 - n as u32) % 3) as i8);
            assert_eq!([0, 1, 2, 3, 4].map(|n| third(byte, n)), digits, "{number}");
        }
    }

    #[test]
    fn elements_of_tq1_0_are_where_they_are_said_to_be() {
        // 2, 1, 0, 1, 2 of base 3, in one byte of each part.
        let byte = ((2 * 81 + 27 + 3 + 2) * 256u16).div_ceil(243) as u8;
        for (at, elements) in
            [(3, vec![3, 35, 67, 99, 131]), (37, vec![165, 181, 197, 213, 229]), (50, vec![242, 246, 250, 254])]
        {
            // Every other digit is 1, which is nothing.
            let mut quants = [(121 * 256u16).div_ceil(243) as u8; 52];
            quants[at] = byte;
            let out = floats(tq1_0, &[&quants, HALF]);
            let mut expected = vec![0.0; 256];
            elements.iter().zip([0.5, 0.0, -0.5, 0.0, 0.5]).for_each(|(at, x)| expected[*at] = x);
            assert_eq!(out, expected, "byte {at}");
        }
    }

    #[test]
    fn tq2_0_takes_two_bits_a_row_of_32() {
        let out = floats(tq2_0, &[&[0b11_10_01_00; 64], HALF]);
        for (row, x) in [-0.5, 0.0, 0.5, 1.0, -0.5, 0.0, 0.5, 1.0].into_iter().enumerate() {
            assert_eq!(out[row * 32..][..32], [x; 32], "row {row}");
        }
    }
}
