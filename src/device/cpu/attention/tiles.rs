//! A piece of work's scratch, and what attention does with a tile of keys.

use crate::device::cpu::simd::F32x4;
use crate::device::cpu::state::TILE;
use std::ops::Range;

/// Keys of a tile: with head size 64, 8 KiB of keys and as much of values.
pub const KEYS: usize = TILE;

/// A thread's scratch. Rows are (KV head, position, head of its group); head_dim is padded to a multiple of 4.
#[derive(Default)]
pub struct Tiles {
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
    pub queries: Vec<f32>,
    pub sums: Vec<f32>,
    pub maximum: Vec<f32>,
    pub total: Vec<f32>,
    /// Queries, keys, values and sums have values at even places before those at odd ones, in each eight.
    pub parted: bool,
    /// What is to be multiplied by that: scores, and the values' weights.
    pub factors: [f32; 2],
}

impl Tiles {
    /// `R` rows from `row` on against keys `seen` of the tile: the running softmax of what `finish` makes of the scaled
    /// products. Two rows share what is loaded of keys and values.
    pub fn attend_tile<const R: usize>(
        &mut self,
        tile: &impl Tile,
        row: usize,
        width: usize,
        seen: Range<usize>,
        finish: impl Fn(usize, &mut [f32]),
    ) {
        let mut scores = [[f32::NEG_INFINITY; KEYS]; R];
        tile.scores(self, row, width, &seen, &mut scores);
        let groups = seen.start / 4..seen.end.div_ceil(4);
        let of_weight = self.factors[1];
        for (r, scores) in scores.iter_mut().enumerate() {
            let row = row + r;
            finish(row, &mut scores[4 * groups.start..4 * groups.end]);
            scores[..seen.start].fill(f32::NEG_INFINITY);
            scores[seen.end..].fill(f32::NEG_INFINITY);
            let maximum = groups.clone().fold(F32x4::splat(self.maximum[row]), |maximum, group| {
                maximum.max(F32x4::from_slice(&scores[4 * group..]))
            });
            let maximum = maximum.largest();
            let kept = (self.maximum[row] - maximum).exp();
            let mut total = F32x4::ZERO;
            for group in groups.clone() {
                let weights = F32x4::from_slice(&scores[4 * group..]).sub(F32x4::splat(maximum)).exp();
                weights.mul(F32x4::splat(of_weight)).to_slice(&mut scores[4 * group..]);
                total = total.add(weights);
            }
            self.total[row] = self.total[row] * kept + total.sum();
            self.maximum[row] = maximum;
            if kept != 1.0 {
                let sums = self.sums[row * width..][..width].as_chunks_mut::<4>().0;
                sums.iter_mut().for_each(|sum| *sum = F32x4::load(sum).mul(F32x4::splat(kept)).to_array());
            }
        }
        tile.mix(self, row, width, groups, &scores);
    }
}

/// How a tile's keys and values are read.
pub trait Tile {
    /// Products of `R` rows with the keys that they see, by their factor.
    fn scores<const R: usize>(
        &self,
        tiles: &Tiles,
        row: usize,
        width: usize,
        seen: &Range<usize>,
        scores: &mut [[f32; KEYS]; R],
    );
    /// Adds to the sums of `R` rows the values of some fours of keys, by their weights.
    fn mix<const R: usize>(
        &self,
        tiles: &mut Tiles,
        row: usize,
        width: usize,
        groups: Range<usize>,
        weights: &[[f32; KEYS]; R],
    );
}

/// As floats, in the thread's scratch.
pub struct Floats;

impl Tile for Floats {
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
            let keys: [&[[f32; 4]]; 4] =
                std::array::from_fn(|i| tiles.keys[(4 * group + i) * width..][..width].as_chunks().0);
            let mut sums = [[F32x4::ZERO; 4]; R];
            for i in 0..width / 4 {
                let queries = queries.map(|query| F32x4::load(&query[i]));
                for (k, key) in keys.iter().enumerate() {
                    let key = F32x4::load(&key[i]);
                    for (sums, query) in sums.iter_mut().zip(queries) {
                        sums[k] = key.mul_add(query, sums[k]);
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
            let values: [&[[f32; 4]]; 4] =
                std::array::from_fn(|i| tiles.values[(4 * group + i) * width..][..width].as_chunks().0);
            let weights: [[F32x4; 4]; R] =
                std::array::from_fn(|r| std::array::from_fn(|i| F32x4::splat(weights[r][4 * group + i])));
            for i in 0..fours {
                let values = values.map(|row| F32x4::load(&row[i]));
                for (r, weights) in weights.iter().enumerate() {
                    let sum = &mut sums[r * fours + i];
                    let mut value = F32x4::load(sum);
                    for (weight, row) in weights.iter().zip(values) {
                        value = row.mul_add(*weight, value);
                    }
                    *sum = value.to_array();
                }
            }
        }
    }
}
