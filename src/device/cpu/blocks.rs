//! Weights in the layout that the kernels like: eight rows side by side.
//!
//! A matrix [rows, columns] is cut into panels of eight rows, a panel into blocks of columns. In a
//! block the eight rows are interleaved, so that each lane of a vector belongs to one row: sums need
//! no step across lanes, and one activation, copied to all lanes, serves eight rows.
//!
//! `products.rs` has the tables of what was tried.

use super::products::{ByteProducts, DigitDots, Dots, Products, ROWS, Sums, add_pairs, join_digits, scale, shift};
use super::quantised::{BLOCK, DigitBlock, QuantisedBlock};
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
    /// Not inlined: the same code for all types of 16 bits, and loading waits for the network.
    #[inline(never)]
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

/// 4-bit weights with a scale and a minimum per row and 32 columns: weight = scale · level + min.
///
/// The vectors of step s hold its eight columns, 8s and on: the first of them of rows 0 to 3, the second of rows 4 to 7, four
/// bytes a row. A row's low nibbles are columns 0 4 1 5 of the step, its high nibbles 2 6 3 7: as bytes they are what
/// [`DigitBlock`] has side by side, and as lanes of 16 bits each nibble is a pair of neighbours.
#[derive(Clone, Copy)]
pub struct Nibbles {
    levels: [[[u8; 16]; 2]; STEPS],
    scales: [[f32; ROWS]; 1],
    mins: [[f32; ROWS]; 1],
}

/// Of eight columns in a block.
pub const STEPS: usize = BLOCK / 8;

impl Nibbles {
    pub fn new(rows: &[Levels; ROWS]) -> Self {
        Self {
            levels: Self::placed(&rows.each_ref().map(|row| row.levels)),
            scales: [std::array::from_fn(|row| rows[row].scales[0])],
            mins: [std::array::from_fn(|row| rows[row].mins[0])],
        }
    }

    /// Levels of 4 bits, or codes, where they are. Not inlined: several types have it, and loading waits for the network.
    #[inline(never)]
    pub fn placed(rows: &[[i8; BLOCK]; ROWS]) -> [[[u8; 16]; 2]; STEPS] {
        let mut placed = [[[0; 16]; 2]; STEPS];
        for (row, levels) in rows.iter().enumerate() {
            for (column, level) in levels.iter().enumerate() {
                let (step, half, byte, shift) = Self::place(row, column);
                placed[step][half][byte] |= level.cast_unsigned() << shift;
            }
        }
        placed
    }

    /// Where a level is: step, half of the rows, byte and shift.
    #[inline(always)]
    pub fn place(row: usize, column: usize) -> (usize, usize, usize, usize) {
        (column / 8, row / 4, row % 4 * 4 + column % 2 * 2 + column % 8 / 4, column % 4 / 2 * 4)
    }

    /// Adds the products of a step's four pairs of columns.
    #[inline(always)]
    fn add_pairs_of<const T: usize>(&self, step: usize, inputs: [&QuantisedBlock; T], dots: &mut Dots<T>) {
        let [low, high] = self.levels[step].each_ref().map(I16x8::from_bytes);
        let (pair, pairs) = (4 * step, inputs[0].pairs as usize);
        add_pairs((low.nibble::<0>(), high.nibble::<0>()), pair, inputs, dots);
        if pairs > pair + 1 {
            add_pairs((low.nibble::<1>(), high.nibble::<1>()), pair + 1, inputs, dots);
        }
        if pairs > pair + 2 {
            add_pairs((low.nibble::<2>(), high.nibble::<2>()), pair + 2, inputs, dots);
        }
        if pairs > pair + 3 {
            add_pairs((low.nibble::<3>(), high.nibble::<3>()), pair + 3, inputs, dots);
        }
    }

    /// Adds the products of a step's eight columns.
    #[inline(always)]
    fn add_bytes_of<const T: usize>(&self, step: usize, inputs: [&DigitBlock; T], dots: &mut DigitDots<T>) {
        let vectors = self.levels[step].each_ref().map(U8x16::load);
        for (nibbles, first) in [(vectors.map(U8x16::low_nibbles), 0), (vectors.map(U8x16::high_nibbles), 2)] {
            for (dots, input) in dots.iter_mut().zip(inputs) {
                for (digit, dots) in dots.iter_mut().enumerate() {
                    let digits = U8x16::splat_four(&input.digits[step][first + digit]);
                    *dots = [0, 1].map(|half| dots[half].add_byte_dots(digits, nibbles[half]));
                }
            }
        }
    }
}

impl Products for Nibbles {
    type Input = QuantisedBlock;
    const COLUMNS: usize = BLOCK;

    #[inline(always)]
    fn accumulate<const T: usize>(&self, inputs: [&QuantisedBlock; T], sums: &mut [Sums; T]) {
        let mut dots = [[I32x4::ZERO; 2]; T];
        let pairs = inputs[0].pairs;
        self.add_pairs_of(0, inputs, &mut dots);
        if pairs > 4 {
            self.add_pairs_of(1, inputs, &mut dots);
        }
        if pairs > 8 {
            self.add_pairs_of(2, inputs, &mut dots);
        }
        if pairs > 12 {
            self.add_pairs_of(3, inputs, &mut dots);
        }
        scale(&self.scales[0], dots, inputs, sums);
        shift(&self.mins, inputs, sums);
    }
}

impl ByteProducts for Nibbles {
    #[inline(always)]
    fn accumulate_digits<const T: usize>(&self, inputs: [&DigitBlock; T], sums: &mut [Sums; T]) {
        let mut dots = [[[I32x4::ZERO; 2]; 2]; T];
        let fours = inputs[0].fours;
        self.add_bytes_of(0, inputs, &mut dots);
        if fours > 2 {
            self.add_bytes_of(1, inputs, &mut dots);
        }
        if fours > 4 {
            self.add_bytes_of(2, inputs, &mut dots);
        }
        if fours > 6 {
            self.add_bytes_of(3, inputs, &mut dots);
        }
        scale(&self.scales[0], join_digits(dots), inputs, sums);
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
            let (step, half, byte, shift) = Self::place(row, column);
            *out = self.scales[0][row] * f32::from(self.levels[step][half][byte] >> shift & 15) + self.mins[0][row];
        }
    }
}
