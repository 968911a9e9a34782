//! Keys and values of a tile as halves, read as they lie in their page: converted in registers, for few rows.
//!
//! [`F32x4::from_halves`] gives those at even places and those at odd ones, so queries and sums are kept in that order, and
//! 2⁻¹¹² of them: their factor is in the queries and the scores ([`QUERY`] · [`SCORE`]), and in the weights ([`WEIGHT`]).
//! All are powers of two, so that sums come out the same, to the bit, as those of tiles of floats.
//!
//! Tried on SmolLM2-135M after 4,096 tokens, one thread under Node 24, AMD EPYC of family 26, tokens a second: scores of two
//! keys at a time, and of the values eight of all keys, whose sums stay in registers, 57; four keys at a time, keys and values
//! in the order in which they lie, 60. Where all keys come from a cache it is 72: products of f32 then take 6.5 of 14 ms a
//! token, 22 G a second, their weights 2, everything else 5.3.

use super::tiles::{KEYS, Tile, Tiles};
use crate::device::cpu::simd::F32x4;
use std::ops::Range;

/// 2¹⁰⁰: a query of 2²⁸ and more becomes infinite, a product stays one.
pub const QUERY: f32 = f32::from_bits((127 + 100) << 23);
/// 2¹²
pub const SCORE: f32 = f32::from_bits((127 + 12) << 23);
/// 2¹¹²
pub const WEIGHT: f32 = f32::from_bits((127 + 112) << 23);

/// Puts values at even places before those at odd ones, in each eight.
pub fn part(values: impl Iterator<Item = f32>, out: &mut [f32]) {
    for (i, value) in values.enumerate() {
        out[i / 8 * 8 + i % 2 * 4 + i % 8 / 2] = value;
    }
}

/// The other way round, each of them · `factor`.
pub fn join(values: &[f32], factor: f32, out: &mut [f32]) {
    for (out, values) in out.as_chunks_mut::<8>().0.iter_mut().zip(values.as_chunks::<8>().0) {
        *out = std::array::from_fn(|i| values[i % 2 * 4 + i / 2] * factor);
    }
}

/// Vectors [positions, width] become rows of a tile of floats, likewise.
pub fn read(vectors: &[u16], finite: bool, out: &mut [f32]) {
    for (out, eight) in out.as_chunks_mut::<8>().0.iter_mut().zip(vectors.as_chunks::<8>().0) {
        if finite {
            let [even, odd] = F32x4::from_halves(eight);
            even.to_slice(&mut out[..4]);
            odd.to_slice(&mut out[4..]);
        } else {
            let both = [0, 4].map(|first| F32x4::from_any_f16(&std::array::from_fn(|i| eight[first + i])));
            let scaled = both.map(|four| four.mul(F32x4::splat(WEIGHT.recip())).to_array());
            part(scaled.into_iter().flatten(), out);
        }
    }
}

/// Each [KEYS, width], finite.
pub struct Halves<'a> {
    pub keys: &'a [u16],
    pub values: &'a [u16],
}

impl Tile for Halves<'_> {
    /// Four keys at a time.
    #[inline(never)]
    fn scores<const R: usize>(
        &self,
        tiles: &Tiles,
        row: usize,
        width: usize,
        seen: &Range<usize>,
        scores: &mut [[f32; KEYS]; R],
    ) {
        let queries: [&[[f32; 4]]; R] =
            std::array::from_fn(|r| tiles.queries[(row + r) * width..][..width].as_chunks().0);
        for group in seen.start / 4..seen.end.div_ceil(4) {
            let mut sums = [[F32x4::ZERO; 4]; R];
            let keys: [&[[u16; 8]]; 4] =
                std::array::from_fn(|k| self.keys[(4 * group + k) * width..][..width].as_chunks().0);
            for i in 0..width / 8 {
                let queries = queries.map(|query| [F32x4::load(&query[2 * i]), F32x4::load(&query[2 * i + 1])]);
                for (k, key) in keys.iter().enumerate() {
                    let [even, odd] = F32x4::from_halves(&key[i]);
                    for (sums, query) in sums.iter_mut().zip(queries) {
                        sums[k] = odd.mul_add(query[1], even.mul_add(query[0], sums[k]));
                    }
                }
            }
            for (scores, sums) in scores.iter_mut().zip(sums) {
                F32x4::sums(sums).mul(F32x4::splat(tiles.factors[0])).to_slice(&mut scores[4 * group..]);
            }
        }
    }

    /// Likewise.
    #[inline(never)]
    fn mix<const R: usize>(
        &self,
        tiles: &mut Tiles,
        row: usize,
        width: usize,
        groups: Range<usize>,
        weights: &[[f32; KEYS]; R],
    ) {
        let fours = width / 4;
        let sums = &mut tiles.sums[row * width..][..R * width].as_chunks_mut::<4>().0[..R * fours];
        for group in groups {
            let values: [&[[u16; 8]]; 4] =
                std::array::from_fn(|k| self.values[(4 * group + k) * width..][..width].as_chunks().0);
            let weights: [[F32x4; 4]; R] =
                std::array::from_fn(|r| std::array::from_fn(|k| F32x4::splat(weights[r][4 * group + k])));
            for i in 0..width / 8 {
                let values = values.map(|row| F32x4::from_halves(&row[i]));
                for (r, weights) in weights.iter().enumerate() {
                    for half in 0..2 {
                        let sum = &mut sums[r * fours + 2 * i + half];
                        let mut value = F32x4::load(sum);
                        for (weight, row) in weights.iter().zip(values) {
                            value = row[half].mul_add(*weight, value);
                        }
                        *sum = value.to_array();
                    }
                }
            }
        }
    }
}
