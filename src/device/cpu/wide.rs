//! Weights as the products with many tokens like them: integers in 16 bits and halves in 32, unpacked once a panel
//! instead of once a tile.

use super::blocks::{Products, ROWS, Sums, scale, shift};
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
