//! 8-bit weights, eight rows side by side.

use super::blocks::{Block, STEPS};
use super::products::{
    ByteProducts, DigitDots, Dots, Products, ROWS, Sums, add_pairs, join_digits, scale, scale_by, shift,
};
use super::quantised::{BLOCK, DigitBlock, QuantisedBlock};
use super::simd::{I16x8, I32x4, U8x16};
use crate::checkpoint::Levels;
use std::borrow::Cow;

/// The levels of eight rows and 32 columns.
///
/// Those of step s are its eight columns, 8s and on: the first two vectors have columns 0 4 1 5 of rows 0 to 3 and 4 to 7, the
/// others 2 6 3 7, four bytes a row. [`DigitBlock`] has the same four side by side; and in lanes of 16 bits the low bytes
/// are a pair of neighbours, and the high bytes another.
#[derive(Clone, Copy)]
struct ByteLevels([[[[u8; 16]; 2]; 2]; STEPS]);

impl ByteLevels {
    /// Not inlined: every type of bytes has it, and loading waits for the network.
    #[inline(never)]
    fn new(rows: &[Levels; ROWS]) -> Self {
        let mut bytes = [[[[0; 16]; 2]; 2]; STEPS];
        for (row, levels) in rows.iter().enumerate() {
            for (column, level) in levels.levels.iter().enumerate() {
                let (step, four, half, byte) = Self::place(row, column);
                bytes[step][four][half][byte] = level.cast_unsigned();
            }
        }
        Self(bytes)
    }

    /// Where a level is: step, which of its vectors, half of the rows and byte.
    #[inline(always)]
    fn place(row: usize, column: usize) -> (usize, usize, usize, usize) {
        (column / 8, column % 4 / 2, row / 4, row % 4 * 4 + column % 2 * 2 + column % 8 / 4)
    }

    fn at(&self, row: usize, column: usize) -> f32 {
        let (step, four, half, byte) = Self::place(row, column);
        f32::from(self.0[step][four][half][byte].cast_signed())
    }

    /// Adds the products of a step's four pairs of columns.
    #[inline(always)]
    fn add_pairs_of<const T: usize>(&self, step: usize, inputs: [&QuantisedBlock; T], dots: &mut Dots<T>) {
        let fours = self.0[step].each_ref().map(|four| four.each_ref().map(I16x8::from_bytes));
        add_pairs_of_four(fours[0], 4 * step, inputs, dots);
        if inputs[0].pairs as usize > 4 * step + 2 {
            add_pairs_of_four(fours[1], 4 * step + 1, inputs, dots);
        }
    }

    /// Adds the products of a step's eight columns, with activations that are 64 · 128 larger than they should be.
    #[inline(always)]
    fn add_bytes_of<const T: usize>(&self, step: usize, inputs: [&DigitBlock; T], dots: &mut DigitDots<T>) {
        self.add_four_of(step, 0, inputs, dots);
        if inputs[0].fours as usize > 2 * step + 1 {
            self.add_four_of(step, 1, inputs, dots);
        }
    }

    #[inline(always)]
    fn add_four_of<const T: usize>(&self, step: usize, four: usize, inputs: [&DigitBlock; T], dots: &mut DigitDots<T>) {
        let levels = self.0[step][four].each_ref().map(U8x16::load);
        for ([above, below], input) in dots.iter_mut().zip(inputs) {
            let digits = U8x16::splat_four(&input.positive[2 * step + four]);
            *above = [0, 1].map(|half| above[half].add_byte_dots(levels[half], digits));
            let digits = U8x16::splat_four(&input.digits[step][2 * four + 1]);
            *below = [0, 1].map(|half| below[half].add_byte_dots(levels[half], digits));
        }
    }
}

/// Adds the products of two pairs of columns, `pair` and the one after the next: what a step's first or last two vectors
/// hold.
#[inline(always)]
pub fn add_pairs_of_four<const T: usize>(
    [low, high]: [I16x8; 2],
    pair: usize,
    inputs: [&QuantisedBlock; T],
    dots: &mut Dots<T>,
) {
    add_pairs((low.low_bytes(), high.low_bytes()), pair, inputs, dots);
    if inputs[0].pairs as usize > pair + 2 {
        add_pairs((low.high_bytes(), high.high_bytes()), pair + 2, inputs, dots);
    }
}

/// Weights with a half for a scale per row and 32 columns.
///
/// Digits of activations that are to be positive are too large by 64 · 128, so each row's sum of levels is needed too. It has
/// 13 bits, which is as many as a half leaves zero at the end of a float: there it lies.
#[derive(Clone, Copy)]
pub struct SignedBytes {
    levels: ByteLevels,
    scales: [u32; ROWS],
}

/// The bits of a scale that are the sum's.
const SUM: u32 = (1 << 13) - 1;

impl SignedBytes {
    pub fn new(rows: &[Levels; ROWS]) -> Self {
        let scales = std::array::from_fn(|row| {
            let sum: i32 = rows[row].levels.iter().map(|level| i32::from(*level)).sum();
            let scale = rows[row].scales[0].to_bits();
            debug_assert_eq!(scale & SUM, 0, "a half");
            scale & !SUM | sum.cast_unsigned() & SUM
        });
        Self { levels: ByteLevels::new(rows), scales }
    }

    /// Of rows 0 to 3 and 4 to 7: scales, with the sums.
    #[inline(always)]
    fn packed(&self) -> [I32x4; 2] {
        [0, 1].map(|half| I32x4::load(&self.scales.as_chunks().0[half]))
    }
}

impl Products for SignedBytes {
    type Input = QuantisedBlock;
    const COLUMNS: usize = BLOCK;

    #[inline(always)]
    fn accumulate<const T: usize>(&self, inputs: [&QuantisedBlock; T], sums: &mut [Sums; T]) {
        let mut dots = [[I32x4::ZERO; 2]; T];
        let pairs = inputs[0].pairs;
        self.levels.add_pairs_of(0, inputs, &mut dots);
        if pairs > 4 {
            self.levels.add_pairs_of(1, inputs, &mut dots);
        }
        if pairs > 8 {
            self.levels.add_pairs_of(2, inputs, &mut dots);
        }
        if pairs > 12 {
            self.levels.add_pairs_of(3, inputs, &mut dots);
        }
        scale_by(self.packed().map(|packed| packed.and(!SUM).as_f32()), dots, inputs, sums);
    }
}

impl ByteProducts for SignedBytes {
    #[inline(always)]
    fn accumulate_digits<const T: usize>(&self, inputs: [&DigitBlock; T], sums: &mut [Sums; T]) {
        // Shifted to the left end and back but for 13 bits: 64 · 128 · the sum.
        let excess = self.packed().map(|packed| packed.shift_left::<19>().shift_right::<6>());
        let mut dots = [[[I32x4::ZERO; 2], excess.map(|excess| I32x4::ZERO.sub(excess))]; T];
        let fours = inputs[0].fours;
        self.levels.add_bytes_of(0, inputs, &mut dots);
        if fours > 2 {
            self.levels.add_bytes_of(1, inputs, &mut dots);
        }
        if fours > 4 {
            self.levels.add_bytes_of(2, inputs, &mut dots);
        }
        if fours > 6 {
            self.levels.add_bytes_of(3, inputs, &mut dots);
        }
        scale_by(self.packed().map(|packed| packed.and(!SUM).as_f32()), join_digits(dots), inputs, sums);
    }
}

impl Block for SignedBytes {
    type Wide = Self;

    fn widen(blocks: &[Self]) -> Cow<'_, [Self]> {
        blocks.into()
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        for (column, out) in out.iter_mut().enumerate() {
            *out = f32::from_bits(self.scales[row] & !SUM) * self.levels.at(row, column);
        }
    }
}

/// Weights with `GROUPS` scales per row and 32 columns, and `MINS` minimums (as many, or none).
#[derive(Clone, Copy)]
pub struct Bytes<const GROUPS: usize, const MINS: usize> {
    levels: ByteLevels,
    scales: [[f32; ROWS]; GROUPS],
    mins: [[f32; ROWS]; MINS],
}

impl<const GROUPS: usize, const MINS: usize> Bytes<GROUPS, MINS> {
    pub fn new(rows: &[Levels; ROWS]) -> Self {
        Self {
            levels: ByteLevels::new(rows),
            scales: std::array::from_fn(|group| std::array::from_fn(|row| rows[row].scales[group])),
            mins: std::array::from_fn(|group| std::array::from_fn(|row| rows[row].mins[group])),
        }
    }

    /// Of a step's vectors, as they lie here: its columns 0 4 1 5 or 2 6 3 7 (`four`), and of which half of the rows.
    #[inline(always)]
    pub fn of(
        scales: [[f32; ROWS]; GROUPS],
        mins: [[f32; ROWS]; MINS],
        vector: impl Fn(usize, usize, usize) -> [u8; 16],
    ) -> Self {
        let levels = std::array::from_fn(|step| [0, 1].map(|four| [0, 1].map(|half| vector(step, four, half))));
        Self { levels: ByteLevels(levels), scales, mins }
    }
}

impl<const GROUPS: usize, const MINS: usize> Products for Bytes<GROUPS, MINS> {
    type Input = QuantisedBlock;
    const COLUMNS: usize = BLOCK;

    #[inline(always)]
    fn accumulate<const T: usize>(&self, inputs: [&QuantisedBlock; T], sums: &mut [Sums; T]) {
        for group in 0..GROUPS {
            let mut dots = [[I32x4::ZERO; 2]; T];
            for step in group * STEPS / GROUPS..(group + 1) * STEPS / GROUPS {
                self.levels.add_pairs_of(step, inputs, &mut dots);
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
            let min = if MINS == 0 { 0.0 } else { self.mins[column * MINS / BLOCK][row] };
            *out = self.scales[column * GROUPS / BLOCK][row] * self.levels.at(row, column) + min;
        }
    }
}
