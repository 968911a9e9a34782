//! Weights as the products with many tokens like them: integers in 16 bits and halves in 32, unpacked once a panel
//! instead of once a tile.
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
//! | | 4 × 8 in 16 bits, 2 × 16 | 1 | 61, 60 | 61, 60 | |
//! | | 5 × 8, 4 × 12, 6 × 8 in 16 bits | 1 | 34, 39, 14 | 32, 38, 14 | |
//! | as Q8_0 | 4 × 8 bytes, 3 × 8, 2 × 16 | 1 | 48, 47, 43 | 49, 47, 43 | what it was |
//! | | 4 × 8 in 16 bits | 1 | 53 | 53 | <- this |
//! | | the same, the tile's activations side by side | 1 | 53 | 53 | |
//! | | 2 × 16 in 16 bits, side by side; 8 × 4 | 1 | 54, 51 | 54, 52 | |
//!
//! Whole products of 196 tokens before and after: f32 21 and 29, f16 14 and 30, Q4_1 37 and 45, Q8_0 42 and 47.

use super::products::{Products, ROWS, Sums, scale, shift};
use super::quantised::{BLOCK, QuantisedBlock};
use super::simd::{I16x8, I32x4};
use std::borrow::Cow;

/// Vector v holds columns 2v and 2v+1 of rows 0 to 3, and of rows 4 to 7.
#[derive(Clone, Copy)]
pub struct Wide<const GROUPS: usize, const MINS: usize> {
    pub levels: [[[i16; 8]; 2]; BLOCK / 2],
    pub scales: [[f32; ROWS]; GROUPS],
    pub mins: [[f32; ROWS]; MINS],
}

impl<const GROUPS: usize, const MINS: usize> Wide<GROUPS, MINS> {
    /// One for each block, set by `set` in place: what is returned would be copied by a call.
    pub fn each<'a, B>(blocks: &[B], set: impl Fn(&B, &mut Self)) -> Cow<'a, [Self]> {
        let zero = Self { levels: [[[0; 8]; 2]; BLOCK / 2], scales: [[0.0; ROWS]; GROUPS], mins: [[0.0; ROWS]; MINS] };
        let mut wide = vec![zero; blocks.len()];
        for (block, wide) in blocks.iter().zip(&mut wide) {
            set(block, wide);
        }
        wide.into()
    }
}

impl<const GROUPS: usize, const MINS: usize> Products for Wide<GROUPS, MINS> {
    type Input = QuantisedBlock;
    const COLUMNS: usize = BLOCK;

    #[inline(always)]
    fn accumulate<const T: usize>(&self, inputs: [&QuantisedBlock; T], sums: &mut [Sums; T]) {
        for (group, scales) in self.scales.iter().enumerate() {
            let vectors = BLOCK / 2 / GROUPS;
            let mut dots = [[I32x4::ZERO; 2]; T];
            for v in group * vectors..(group + 1) * vectors {
                let (low, high) = (I16x8::load(&self.levels[v][0]), I16x8::load(&self.levels[v][1]));
                for (dot, input) in dots.iter_mut().zip(inputs) {
                    let pair = I16x8::splat_pair(&input.levels.as_chunks::<2>().0[v]);
                    *dot = [dot[0].add(low.dot(pair)), dot[1].add(high.dot(pair))];
                }
            }
            scale(scales, dots, inputs, sums);
        }
        shift(&self.mins, inputs, sums);
    }
}
