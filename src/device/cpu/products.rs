//! What all weights that are multiplied have in common: eight rows of them meet the activations of some tokens.
//!
//! A turn of the innermost loop is one column of floats. With more, the compiler gathers each sum's additions into a chain
//! behind all that they need, and V8 spills. So it does with more than eight sums, at every turn.
//!
//! Integers come in blocks, whose steps are written out. They would be gathered likewise, did not a comparison stand between
//! them: of how many steps a block has, which is always the same, with where we are. That the compiler does not know it is
//! all that it is good for: nothing is moved past a branch, and it costs one instruction where a loop costs five.
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
//! Of integers with scales, as Q4_1 and Q8_0, in Chromium on one thread, 576 columns, weights in the L2 cache:
//!
//! | | tokens | 4 bits | 8 bits | |
//! |---|---|---|---|---|
//! | 16 bits, a loop | 1, 2, 4 | 27, 32, 38 | 25, -, 38 | what it was |
//! | steps apart | 1, 2, 4 | 30, 37, 42 | 32, 42, 47 | |
//! | steps apart, lanes masked and shifted | 1, 2, 4 | 33, 42, 45 | 32, 41, 46 | <- this without fast products of bytes |
//! | bytes, as the compiler likes it | 1, 2, 4 | 26, 31, 37 | 26, 32, - | |
//! | a loop | 1, 2, 4 | 40, 38, 37 | 38, 51, 27 | |
//! | two panels at once | 1 | 36 | 44 | 7 and 13 where they come from memory |
//! | steps apart | 1, 2 | 44, 52 | 48, 55 | <- this with them |
//! | of low nibbles rows 0 to 3, of high ones 4 to 7 | 1, 2 | 42, 49 | | |
//! | scales and minimums as halves | 1 | 39 | | no faster from memory either |
//!
//! In the engine, before and after in turns: SmolLM2 in Q4_1 134 and 181 tokens a second, prompts of 128 tokens 282 and 350;
//! eight texts at once 179 and 196; in Q8_0 MiniLM 17.1 and 24.3 texts of 128 tokens a second, ViT-B 614 and 407 ms an
//! image.
//!
//! What binds: two multiplications a cycle, of 8 products each in either way (bytes are multiplied twice, for two digits);
//! four vector instructions a cycle, of which a block of 256 products of one token is some 120 with 16 bits and 70 with
//! bytes; and eight instructions a cycle of any kind, of which it is some 140 with bytes: V8 needs one more for each load
//! that copies four bytes to all lanes and is not at offset 0.

use super::quantised::{Activations, DigitBlock, QuantisedBlock};
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

/// Weights that can be multiplied byte by byte too.
pub trait ByteProducts: Products<Input = QuantisedBlock> {
    /// The sums of [`Products::accumulate`]: of the same levels the same, to the bit.
    fn accumulate_digits<const T: usize>(&self, inputs: [&DigitBlock; T], sums: &mut [Sums; T]);
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

/// Of two digits of the activations, above and below.
pub type DigitDots<const T: usize> = [[[I32x4; 2]; 2]; T];

/// The dots of both digits together.
#[inline(always)]
pub fn join_digits<const T: usize>(dots: DigitDots<T>) -> Dots<T> {
    dots.map(|[above, below]| std::array::from_fn(|half| above[half].shift_left::<7>().add(below[half])))
}

/// Adds scale · dot to the sums.
#[inline(always)]
pub fn scale<const T: usize>(
    scales: &[f32; ROWS],
    dots: Dots<T>,
    inputs: [&impl Activations; T],
    sums: &mut [Sums; T],
) {
    scale_by(split(scales), dots, inputs, sums);
}

/// The same with scales that have been read.
#[inline(always)]
pub fn scale_by<const T: usize>(
    scales: [F32x4; 2],
    dots: Dots<T>,
    inputs: [&impl Activations; T],
    sums: &mut [Sums; T],
) {
    for ((sum, dot), input) in sums.iter_mut().zip(dots).zip(inputs) {
        let scale = F32x4::splat(input.scale());
        for half in 0..2 {
            sum[half] = dot[half].to_f32().mul_add(scales[half].mul(scale), sum[half]);
        }
    }
}

/// Adds each group's minimum, times its activations, to the sums.
#[inline(always)]
pub fn shift<const MINS: usize, const T: usize>(
    mins: &[[f32; ROWS]; MINS],
    inputs: [&impl Activations; T],
    sums: &mut [Sums; T],
) {
    for (group, mins) in mins.iter().enumerate() {
        let mins = split(mins);
        for (sum, input) in sums.iter_mut().zip(inputs) {
            let [first, second] = input.sums();
            let total = if MINS == 1 { first + second } else { [first, second][group] };
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
