//! What all weights that are multiplied have in common: eight rows of them meet the activations of some tokens.
//!
//! A turn of the innermost loop is one column of floats or one pair of integers. With more, the compiler gathers each
//! sum's additions into a chain, and V8 spills. So it does with more than eight sums, at every turn.
//!
//! Tried on one thread (Chromium 156, AMD EPYC of family 26, kept quiet), G products a second of the bare loops, 60
//! tokens × 768 columns; in blocks of 512 columns, or with 3072, it is the same within 5 %:
//!
//! | | tokens × rows | a turn | simd128 | relaxed | |
//! |---|---|---|---|---|---|
//! | floats | 4 × 8 | 4 columns | 20 | 21 | what it was |
//! | | 5 × 8, 6 × 8, 7 × 8 | 4 | 23, 22, 21 | 23, 23, 27 | |
//! | | 8 × 8 | 4 | 17 | 17 | |
//! | | 4 × 12, 3 × 16, 2 × 16 | 4 | 22, 22, 20 | 25, 24, 21 | |
//! | | 8 × 4, 12 × 4 | 4 | 24, 27 | 21, 30 | |
//! | | 4 × 8 | 1 | 31 | 30 | <- this |
//! | | 4 × 8, the tile's activations side by side | 1 | 32 | 31 | |
//! | | 2 × 16, 8 × 4, 12 × 4 | 1 | 32, 29, 30 | 32, 30, 32 | |
//! | | 5 × 8, 6 × 8, 4 × 12, 3 × 16 | 1 | 5, 7, 7, 17 | 14, 7, 16, 6 | |
//! | integers without scales | 4 × 8 bytes | 2 pairs | 40 | 40 | |
//! | | 4 × 8 bytes, 2 × 16 | 1 pair | 55, 51 | 55, 52 | |
//! | | 5 × 8, 4 × 12, 6 × 8 in 16 bits | 1 | 34, 39, 14 | 32, 38, 14 | |
//!
//! Of integers with scales, as Q4_1 and Q8_0, under Node 20 on an AMD EPYC of family 25, 576 columns:
//!
//! | | tokens | 4 bits | 8 bits | |
//! |---|---|---|---|---|
//! | a vector of 16 bytes once for all its pairs | 1, 2, 4 | 20.1, 26.1, 26.5 | 17.5, -, 30.4 | 4 bits: <- this for 1 and 2 tokens |
//! | one pair a turn | 1, 2, 4 | 18.4, 24.5, 28.4 | 18.7, -, 29.7 | <- this for 4 tokens, and for 8 bits |
//! | the same, the tile's activations side by side | 4 | 29.4 | 31.3 | |
//! | eight tokens × eight rows, × four rows | 8 | 24.8, 19.4 | | |
//! | 16-bit lanes of four levels, masked and shifted | 1, 2, 4 | 17.8, 23.0, 25.8 | | |
//! | levels in 16 bits, unpacked once a panel, 64 tokens | 4 | 27.9 (without: 27.5) | 27.6 (without: 28.9) | no longer done |
//!
//! A product of 4 bits is two thirds arithmetic that no number of tokens shares: of some 137 vector operations that a
//! block of 256 products takes one token, four together still take 95 each, and eight would take 88.

use super::quantised::QuantisedBlock;
use super::simd::{F32x4, I16x8, I32x4};

/// Rows of a panel.
pub const ROWS: usize = 8;

/// The running sums of one token with a panel's eight rows.
pub type Sums = [F32x4; 2];

/// Eight rows × some columns of weights that can be multiplied.
pub trait Products: Copy + Send + Sync {
    /// The activations that meet this block.
    type Input: Sync;
    const COLUMNS: usize;

    /// Adds this block's products with the activations of `T` tokens to their sums.
    fn accumulate<const T: usize>(&self, inputs: [&Self::Input; T], sums: &mut [Sums; T]);
}

/// Σ level · activation of some tokens with a panel's eight rows.
pub type Dots<const T: usize> = [[I32x4; 2]; T];

/// Adds the products of a pair of columns: those of rows 0 to 3 and of rows 4 to 7, with each token's `pair`.
#[inline(always)]
pub fn add_pairs<const T: usize>(
    (low, high): (I16x8, I16x8),
    pair: usize,
    inputs: [&QuantisedBlock; T],
    dots: &mut Dots<T>,
) {
    for (dot, input) in dots.iter_mut().zip(inputs) {
        let pair = I16x8::splat_pair(&input.levels.as_chunks::<2>().0[pair]);
        *dot = [dot[0].add(low.dot(pair)), dot[1].add(high.dot(pair))];
    }
}

/// Adds scale · dot to the sums.
#[inline(always)]
pub fn scale<const T: usize>(scales: &[f32; ROWS], dots: Dots<T>, inputs: [&QuantisedBlock; T], sums: &mut [Sums; T]) {
    let scales = split(scales);
    for ((sum, dot), input) in sums.iter_mut().zip(dots).zip(inputs) {
        let scale = F32x4::splat(input.scale);
        for half in 0..2 {
            sum[half] = dot[half].to_f32().mul_add(scales[half].mul(scale), sum[half]);
        }
    }
}

/// Adds each group's minimum, times its activations, to the sums.
#[inline(always)]
pub fn shift<const MINS: usize, const T: usize>(
    mins: &[[f32; ROWS]; MINS],
    inputs: [&QuantisedBlock; T],
    sums: &mut [Sums; T],
) {
    for (group, mins) in mins.iter().enumerate() {
        let mins = split(mins);
        for (sum, input) in sums.iter_mut().zip(inputs) {
            let total = if MINS == 1 { input.sums[0] + input.sums[1] } else { input.sums[group] };
            let total = F32x4::splat(total);
            *sum = [mins[0].mul_add(total, sum[0]), mins[1].mul_add(total, sum[1])];
        }
    }
}

/// The eight rows' values as two vectors.
#[inline(always)]
pub fn split(values: &[f32; ROWS]) -> [F32x4; 2] {
    [F32x4::from_slice(&values[..4]), F32x4::from_slice(&values[4..])]
}
