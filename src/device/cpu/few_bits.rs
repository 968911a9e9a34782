//! Weights of one or two bits: Q1_0, TQ1_0, TQ2_0.
//!
//! In 1.25 and 2.13 bits a weight, scales included. G products a second of Q1_0 and TQ2_0, 2048², on one thread under Node 20,
//! AMD EPYC of family 26; Q4_0 has 25 with one token and 35 with 64:
//!
//! | | one token | 4 | 64 | |
//! |---|---|---|---|---|
//! | unpacked for each tile of tokens | 24, 22 | 27, 30 | 25, 29 | <- this below 4 tokens |
//! | as bytes for all tokens | | | 38, 38 | <- this |
//!
//! With 4 to 7 tokens they become bytes for less code (`matrix.rs`): what it costs there was not measured.

use super::blocks::Block;
use super::bytes::Bytes;
use super::products::{Products, ROWS, Sums, add_pairs, scale, shift};
use super::quantised::{BLOCK, QuantisedBlock};
use super::simd::{I16x8, I32x4};
use crate::checkpoint::{Levels, TensorType};
use std::borrow::Cow;

/// `BITS` a weight, and a scale per row and `PARTS` · 32 columns: weight = scale · (level − [`Self::MIDDLE`]).
///
/// A vector has four rows' levels of 32 / `BITS` columns: a row's two lanes are the even and the odd ones', the first
/// lowest.
#[derive(Clone, Copy)]
pub struct FewBits<const BITS: usize, const PARTS: usize> {
    /// [parts, vectors, halves of the eight rows]
    levels: [[[[u16; 8]; 2]; BITS]; PARTS],
    scales: [f32; ROWS],
}

impl<const BITS: usize, const PARTS: usize> FewBits<BITS, PARTS> {
    /// Pairs of columns in a vector.
    const PAIRS: usize = 16 / BITS;
    /// The level of a weight that is nothing: half-way between the two of one bit, and 1 of two bits.
    const MIDDLE: f32 = BITS as f32 / 2.0;

    /// The levels of the parts that share a scale, by rows.
    fn new(rows: &[[Levels; PARTS]; ROWS]) -> Self {
        let mut block =
            Self { levels: [[[[0; 8]; 2]; BITS]; PARTS], scales: rows.each_ref().map(|parts| parts[0].scales[0]) };
        for (row, parts) in rows.iter().enumerate() {
            for (levels, placed) in parts.iter().zip(&mut block.levels) {
                Self::place_row(row, &levels.levels, placed);
            }
        }
        block
    }

    #[inline(never)]
    fn place_row(row: usize, levels: &[i8; BLOCK], placed: &mut [[[u16; 8]; 2]; BITS]) {
        for (column, level) in levels.iter().enumerate() {
            let (vector, lane, shift) = Self::place(row, column);
            placed[vector][row / 4][lane] |= u16::from(level.cast_unsigned()) << shift;
        }
    }

    /// Packs eight rows of the file.
    pub fn pack(ty: TensorType, rows: [&[u8]; ROWS], out: &mut Vec<Self>) {
        let mut levels = [[Levels::default(); PARTS]; ROWS];
        for start in (0..rows[0].len()).step_by(ty.block_bytes()) {
            for (levels, row) in levels.iter_mut().zip(rows) {
                ty.levels(&row[start..start + ty.block_bytes()], levels);
            }
            out.push(Self::new(&levels));
        }
    }

    fn mins(&self) -> [f32; ROWS] {
        self.scales.map(|scale| -Self::MIDDLE * scale)
    }

    /// Where a level is in its part: vector, lane and shift.
    fn place(row: usize, column: usize) -> (usize, usize, usize) {
        let pair = column / 2;
        (pair / Self::PAIRS, row % 4 * 2 + column % 2, pair % Self::PAIRS * BITS)
    }
}

impl<const BITS: usize, const PARTS: usize> Products for FewBits<BITS, PARTS> {
    type Input = [QuantisedBlock; PARTS];
    const COLUMNS: usize = PARTS * BLOCK;

    #[inline(always)]
    fn accumulate<const T: usize>(&self, inputs: [&Self::Input; T], sums: &mut [Sums; T]) {
        let mins = [self.mins()];
        for (part, levels) in self.levels.iter().enumerate() {
            let inputs = inputs.map(|parts| &parts[part]);
            let mut dots = [[I32x4::ZERO; 2]; T];
            for (v, halves) in levels.iter().enumerate() {
                let [mut low, mut high] = halves.each_ref().map(I16x8::load);
                for pair in v * Self::PAIRS..(v + 1) * Self::PAIRS {
                    add_pairs((low.lowest::<BITS>(), high.lowest::<BITS>()), pair, inputs, &mut dots);
                    [low, high] = [low.without_lowest::<BITS>(), high.without_lowest::<BITS>()];
                }
            }
            scale(&self.scales, dots, inputs, sums);
            shift(&mins, inputs, sums);
        }
    }
}

impl<const BITS: usize, const PARTS: usize> Block for FewBits<BITS, PARTS> {
    /// Unpacked once for many tokens.
    type Wide = [Bytes<1, 1>; PARTS];

    fn widen(blocks: &[Self]) -> Cow<'_, [Self::Wide]> {
        let wide = |block: &Self| {
            let mins = [block.mins()];
            block.levels.each_ref().map(|levels| {
                let mut pairs = [[I16x8::ZERO; 2]; BLOCK / 2];
                for (halves, pairs) in levels.iter().zip(pairs.chunks_mut(Self::PAIRS)) {
                    let mut halves = halves.each_ref().map(I16x8::load);
                    for pair in pairs {
                        *pair = halves.map(I16x8::lowest::<BITS>);
                        halves = halves.map(I16x8::without_lowest::<BITS>);
                    }
                }
                Bytes::of([block.scales], mins, |step, four, half| {
                    let pair = 4 * step + four;
                    pairs[pair][half].beside(pairs[pair + 2][half]).to_array()
                })
            })
        };
        blocks.iter().map(wide).collect()
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        for (column, out) in out.iter_mut().enumerate() {
            let (vector, lane, shift) = Self::place(row, column % BLOCK);
            let level = self.levels[column / BLOCK][vector][row / 4][lane] >> shift & ((1 << BITS) - 1);
            *out = self.scales[row] * (f32::from(level) - Self::MIDDLE);
        }
    }
}
