//! Weights of 4 bits that stand for 16 levels of uneven steps: IQ4_NL, IQ4_XS, MXFP4.
//!
//! Looking up costs two instructions for 16 weights (one with relaxed SIMD) that bytes do not need, and saves 16 of their 36
//! bytes. G products a second on one thread under Node 20, AMD EPYC of family 26, simd128 and relaxed:
//!
//! | | one token, 2048² | 8192 × 6144 | 4 tokens, 2048² | 8192 × 6144 | 64 tokens, 2048² | |
//! |---|---|---|---|---|---|---|
//! | levels of even steps (Q4_0) | 24, 25 | 19, 24 | 35, 37 | 26, 28 | 35, 36 | |
//! | kept as bytes | 27, 27 | 16, 17 | 38, 41 | 23, 23 | 40, 40 | |
//! | looked up as numbers above the least, and that added | 18, 22 | 17, 21 | 29, 32 | | | |
//! | looked up | 19, 21 | 18, 21 | 29, 34 | 26, 28 | 30, – | <- this below 4 tokens |
//! | looked up once, as bytes for all tokens | | | | | 40, 40 | <- this |
//!
//! With 4 to 7 tokens they are looked up once for less code (`matrix.rs`): what it costs there was not measured.

use super::blocks::{Block, Nibbles, STEPS};
use super::bytes::{Bytes, add_pairs_of_four};
use super::products::{Dots, Products, ROWS, Sums, scale};
use super::quantised::{BLOCK, QuantisedBlock};
use super::simd::{I32x4, U8x16};
use crate::checkpoint::{E2M1_VALUES, IQ4_VALUES, Levels};
use std::borrow::Cow;
use std::marker::PhantomData;

/// What codes stand for.
pub trait Values: Copy + Send + Sync {
    const VALUES: [i8; 16];

    /// Each level's code.
    const CODES: [u8; 256] = {
        let (mut codes, mut code) = ([0; 256], 16);
        while code > 0 {
            code -= 1;
            codes[Self::VALUES[code].cast_unsigned() as usize] = code as u8;
        }
        codes
    };
}

#[derive(Clone, Copy)]
pub struct Iq4;
#[derive(Clone, Copy)]
pub struct E2m1;

impl Values for Iq4 {
    const VALUES: [i8; 16] = IQ4_VALUES;
}

impl Values for E2m1 {
    const VALUES: [i8; 16] = E2M1_VALUES;
}

/// Codes, and a scale per row and 32 columns: weight = scale · values[code]. Codes lie as in [`Nibbles`].
#[derive(Clone, Copy)]
pub struct Uneven<V> {
    codes: [[[u8; 16]; 2]; STEPS],
    scales: [f32; ROWS],
    values: PhantomData<V>,
}

impl<V: Values> Uneven<V> {
    pub fn new(rows: &[Levels; ROWS]) -> Self {
        let code = |level: i8| V::CODES[usize::from(level.cast_unsigned())].cast_signed();
        Self {
            codes: Nibbles::placed(&rows.each_ref().map(|row| row.levels.map(code))),
            scales: rows.each_ref().map(|row| row.scales[0]),
            values: PhantomData,
        }
    }

    /// Σ level · activation of the eight rows: see [`Nibbles`].
    #[inline(always)]
    fn dot<const T: usize>(&self, inputs: [&QuantisedBlock; T]) -> Dots<T> {
        let mut dots = [[I32x4::ZERO; 2]; T];
        for (step, codes) in self.codes.iter().enumerate() {
            let codes = codes.each_ref().map(U8x16::load);
            let levels = codes.map(|codes| codes.low_nibbles().look_up(&V::VALUES).as_lanes());
            add_pairs_of_four(levels, 4 * step, inputs, &mut dots);
            if inputs[0].pairs as usize > 4 * step + 1 {
                let levels = codes.map(|codes| codes.high_nibbles().look_up(&V::VALUES).as_lanes());
                add_pairs_of_four(levels, 4 * step + 1, inputs, &mut dots);
            }
        }
        dots
    }
}

impl<V: Values> Products for Uneven<V> {
    type Input = QuantisedBlock;
    const COLUMNS: usize = BLOCK;

    #[inline(always)]
    fn accumulate<const T: usize>(&self, inputs: [&QuantisedBlock; T], sums: &mut [Sums; T]) {
        scale(&self.scales, self.dot(inputs), inputs, sums);
    }
}

impl<V: Values> Block for Uneven<V> {
    /// Looked up once for many tokens.
    type Wide = Bytes<1, 0>;

    fn widen(blocks: &[Self]) -> Cow<'_, [Bytes<1, 0>]> {
        let vector = |block: &Self, step: usize, four: usize, half: usize| {
            let codes = U8x16::load(&block.codes[step][half]);
            let codes = if four == 0 { codes.low_nibbles() } else { codes.high_nibbles() };
            codes.look_up(&V::VALUES).to_array()
        };
        let wide = |block: &Self| Bytes::of([block.scales], [], |step, four, half| vector(block, step, four, half));
        blocks.iter().map(wide).collect()
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        for (column, out) in out.iter_mut().enumerate() {
            let (step, half, byte, shift) = Nibbles::place(row, column);
            let code = self.codes[step][half][byte] >> shift & 15;
            *out = self.scales[row] * f32::from(V::VALUES[usize::from(code)]);
        }
    }
}
