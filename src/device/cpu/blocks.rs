//! Weights in the layout that the kernels like: eight rows side by side.
//!
//! A matrix [rows, columns] is cut into panels of eight rows, a panel into blocks of columns. In a
//! block the eight rows are interleaved, so that each lane of a vector belongs to one row: sums need
//! no step across lanes, and one activation, copied to all lanes, serves eight rows.
//!
//! Tried for 4 bits: SmolLM2 in Q4_1, tokens a second on one thread (Chromium 156, AMD EPYC of family 26)
//!
//! | product | activations | tokens a tile | prefill 128 | 512 | decode | |
//! |---|---|---|---|---|---|---|
//! | relaxed, 8-bit | 8 bits | 4 | 374 | 324 | 180 | single texts' perplexity off by up to 2.2 % |
//! | relaxed, 8-bit | 15 bits in two products | 4 | 216 | 223 | 141 | 16 sums: registers spill |
//! | relaxed, 8-bit | 15 bits in two products | 2 | 238 | 168 | 132 | |
//! | 16-bit | 15 bits | 4 | 278 | 251 | 141 | <- this, in every build |

use super::products::{Dots, Products, ROWS, Sums, add_pairs, scale, shift};
use super::quantised::{BLOCK, QuantisedBlock};
use super::simd::{F32x4, I16x8, I32x4, U8x16, f16_to_f32};
use crate::checkpoint::Levels;
use std::borrow::Cow;

/// Columns of a block of floats.
pub const FLOATS: usize = 1;

/// Eight rows × some columns of a weight matrix, as it lies in memory.
pub trait Block: Products {
    /// The same weights as the products with many tokens like them: halves as floats.
    type Wide: Products<Input = Self::Input>;

    fn widen(blocks: &[Self]) -> Cow<'_, [Self::Wide]>;

    /// The weights of one row, [COLUMNS].
    fn row(&self, row: usize, out: &mut [f32]);
}

/// How a float weight is stored.
pub trait Element: Copy + Default + Send + Sync {
    fn to_f32(self) -> f32;
    fn load(four: &[Self; 4]) -> F32x4;

    fn widen(blocks: &[Floats<Self>]) -> Cow<'_, [Floats<f32>]> {
        blocks
            .iter()
            .map(|block| Floats(block.0.map(|column| column.map(|four| Self::load(&four).to_array()))))
            .collect()
    }
}

#[derive(Clone, Copy, Default)]
pub struct Half(pub u16);
#[derive(Clone, Copy, Default)]
pub struct Brain(pub u16);

impl Element for f32 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }

    #[inline(always)]
    fn load(four: &[f32; 4]) -> F32x4 {
        F32x4::load(four)
    }

    fn widen(blocks: &[Floats<f32>]) -> Cow<'_, [Floats<f32>]> {
        blocks.into()
    }
}

impl Element for Half {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f16_to_f32(self.0)
    }

    #[inline(always)]
    fn load(four: &[Self; 4]) -> F32x4 {
        F32x4::from_f16(&four.map(|half| half.0))
    }
}

impl Element for Brain {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    #[inline(always)]
    fn load(four: &[Self; 4]) -> F32x4 {
        F32x4::from_bf16(&four.map(|half| half.0))
    }
}

/// Float weights: [columns, rows].
#[derive(Clone, Copy)]
pub struct Floats<E>(pub [[[E; 4]; 2]; FLOATS]);

impl<E: Element> Floats<E> {
    pub fn new(rows: [[E; FLOATS]; ROWS]) -> Self {
        let at = |column: usize, half: usize| std::array::from_fn(|lane| rows[half * 4 + lane][column]);
        Self(std::array::from_fn(|column| [at(column, 0), at(column, 1)]))
    }
}

impl<E: Element> Products for Floats<E> {
    type Input = [f32; FLOATS];
    const COLUMNS: usize = FLOATS;

    #[inline(always)]
    fn accumulate<const T: usize>(&self, inputs: [&[f32; FLOATS]; T], sums: &mut [Sums; T]) {
        for (column, [low, high]) in self.0.iter().enumerate() {
            let (low, high) = (E::load(low), E::load(high));
            for (sum, input) in sums.iter_mut().zip(inputs) {
                let value = F32x4::splat(input[column]);
                *sum = [low.mul_add(value, sum[0]), high.mul_add(value, sum[1])];
            }
        }
    }
}

impl<E: Element> Block for Floats<E> {
    type Wide = Floats<f32>;

    fn widen(blocks: &[Self]) -> Cow<'_, [Floats<f32>]> {
        E::widen(blocks)
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        for (out, column) in out.iter_mut().zip(&self.0) {
            *out = column[row / 4][row % 4].to_f32();
        }
    }
}

/// 4-bit weights with a scale and a minimum per row and 32 columns: weight = scale · level + min.
///
/// Vector v holds, for each of the eight rows, columns 4v and 4v+1 in the low nibbles of two
/// neighbouring bytes and columns 4v+2 and 4v+3 in the high ones.
#[derive(Clone, Copy)]
pub struct Nibbles {
    levels: [[u8; 16]; ROWS],
    scales: [[f32; ROWS]; 1],
    mins: [[f32; ROWS]; 1],
}

impl Nibbles {
    pub fn new(rows: &[Levels; ROWS]) -> Self {
        let mut block = Self {
            levels: [[0; 16]; ROWS],
            scales: [std::array::from_fn(|row| rows[row].scales[0])],
            mins: [std::array::from_fn(|row| rows[row].mins[0])],
        };
        for (row, levels) in rows.iter().enumerate() {
            for (column, level) in levels.levels.iter().enumerate() {
                let (vector, byte, shift) = Self::place(row, column);
                block.levels[vector][byte] |= (*level as u8) << shift;
            }
        }
        block
    }

    /// Where a level is: vector, byte and shift.
    #[inline(always)]
    pub fn place(row: usize, column: usize) -> (usize, usize, usize) {
        (column / 4, row * 2 + column % 2, column % 4 / 2 * 4)
    }

    /// Σ level · activation of the eight rows. Four tokens' sums leave registers for one pair a turn; fewer tokens would
    /// rather read each vector once.
    #[inline(always)]
    fn dot<const T: usize>(&self, inputs: [&QuantisedBlock; T]) -> Dots<T> {
        let mut dots = [[I32x4::ZERO; 2]; T];
        if T < 4 {
            for (v, vector) in self.levels.iter().enumerate() {
                let vector = U8x16::load(vector);
                add_pairs(vector.low_nibbles().widen_unsigned(), 2 * v, inputs, &mut dots);
                add_pairs(vector.high_nibbles().widen_unsigned(), 2 * v + 1, inputs, &mut dots);
            }
        } else {
            for (v, vector) in self.levels.iter().enumerate() {
                add_pairs(U8x16::load(vector).low_nibbles().widen_unsigned(), 2 * v, inputs, &mut dots);
            }
            for (v, vector) in self.levels.iter().enumerate() {
                add_pairs(U8x16::load(vector).high_nibbles().widen_unsigned(), 2 * v + 1, inputs, &mut dots);
            }
        }
        dots
    }
}

impl Products for Nibbles {
    type Input = QuantisedBlock;
    const COLUMNS: usize = BLOCK;

    #[inline(always)]
    fn accumulate<const T: usize>(&self, inputs: [&QuantisedBlock; T], sums: &mut [Sums; T]) {
        scale(&self.scales[0], self.dot(inputs), inputs, sums);
        shift(&self.mins, inputs, sums);
    }
}

impl Block for Nibbles {
    type Wide = Self;

    fn widen(blocks: &[Self]) -> Cow<'_, [Self]> {
        blocks.into()
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        for (column, out) in out.iter_mut().enumerate() {
            let (vector, byte, shift) = Self::place(row, column);
            *out = self.scales[0][row] * f32::from(self.levels[vector][byte] >> shift & 15) + self.mins[0][row];
        }
    }
}

/// 8-bit weights: `GROUPS` scales per row and 32 columns, and `MINS` minimums (as many, or none).
///
/// Vector v holds columns 2v and 2v+1 of the eight rows.
#[derive(Clone, Copy)]
pub struct Bytes<const GROUPS: usize, const MINS: usize> {
    levels: [[[i8; 8]; 2]; BLOCK / 2],
    scales: [[f32; ROWS]; GROUPS],
    mins: [[f32; ROWS]; MINS],
}

impl<const GROUPS: usize, const MINS: usize> Bytes<GROUPS, MINS> {
    pub fn new(rows: &[Levels; ROWS]) -> Self {
        Self {
            levels: std::array::from_fn(|v| {
                let level = |half: usize, byte: usize| rows[4 * half + byte / 2].levels[2 * v + byte % 2];
                [0, 1].map(|half| std::array::from_fn(|byte| level(half, byte)))
            }),
            scales: std::array::from_fn(|group| std::array::from_fn(|row| rows[row].scales[group])),
            mins: std::array::from_fn(|group| std::array::from_fn(|row| rows[row].mins[group])),
        }
    }

    /// Of vectors that lie as here.
    #[inline(always)]
    pub fn of(scales: [[f32; ROWS]; GROUPS], mins: [[f32; ROWS]; MINS], vector: impl Fn(usize) -> [u8; 16]) -> Self {
        let halves = |v: usize| {
            let vector = vector(v).map(u8::cast_signed);
            let (halves, _) = vector.as_chunks::<8>();
            [halves[0], halves[1]]
        };
        Self { levels: std::array::from_fn(halves), scales, mins }
    }
}

/// Neighbours that share their inputs' block.
impl<B: Products, const N: usize> Products for [B; N] {
    type Input = [B::Input; N];
    const COLUMNS: usize = N * B::COLUMNS;

    #[inline(always)]
    fn accumulate<const T: usize>(&self, inputs: [&Self::Input; T], sums: &mut [Sums; T]) {
        for (part, block) in self.iter().enumerate() {
            block.accumulate(inputs.map(|parts| &parts[part]), sums);
        }
    }
}

impl<const GROUPS: usize, const MINS: usize> Products for Bytes<GROUPS, MINS> {
    type Input = QuantisedBlock;
    const COLUMNS: usize = BLOCK;

    #[inline(always)]
    fn accumulate<const T: usize>(&self, inputs: [&QuantisedBlock; T], sums: &mut [Sums; T]) {
        for group in 0..GROUPS {
            let vectors = BLOCK / 2 / GROUPS;
            let mut dots = [[I32x4::ZERO; 2]; T];
            for v in group * vectors..(group + 1) * vectors {
                let [low, high] = &self.levels[v];
                add_pairs((I16x8::widen(low), I16x8::widen(high)), v, inputs, &mut dots);
            }
            scale(&self.scales[group], dots, inputs, sums);
        }
        shift(&self.mins, inputs, sums);
    }
}

impl<const GROUPS: usize, const MINS: usize> Block for Bytes<GROUPS, MINS> {
    type Wide = Self;

    fn widen(blocks: &[Self]) -> Cow<'_, [Self]> {
        blocks.into()
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        for (column, out) in out.iter_mut().enumerate() {
            let level = f32::from(self.levels[column / 2][row / 4][row % 4 * 2 + column % 2]);
            let min = if MINS == 0 { 0.0 } else { self.mins[column * MINS / BLOCK][row] };
            *out = self.scales[column * GROUPS / BLOCK][row] * level + min;
        }
    }
}
