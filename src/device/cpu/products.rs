//! What all weights that are multiplied have in common: eight rows of them meet the activations of some tokens.

use super::quantised::QuantisedBlock;
use super::simd::{F32x4, I32x4};

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

/// Adds scale · dot to the sums.
#[inline(always)]
pub fn scale<const T: usize>(
    scales: &[f32; ROWS],
    dots: [[I32x4; 2]; T],
    inputs: [&QuantisedBlock; T],
    sums: &mut [Sums; T],
) {
    let scales = split(scales);
    for ((sum, dot), input) in sums.iter_mut().zip(dots).zip(inputs) {
        let scale = F32x4::splat(input.scale);
        for half in 0..2 {
            sum[half] = dot[half].to_f32().mul_add(scales[half].mul(scale), sum[half]);
        }
    }
}

/// Adds each group's minimum, times its activations, to the sums.
#[inline(always)]
pub fn shift<const MINS: usize, const T: usize>(
    mins: &[[f32; ROWS]; MINS],
    inputs: [&QuantisedBlock; T],
    sums: &mut [Sums; T],
) {
    for (group, mins) in mins.iter().enumerate() {
        let mins = split(mins);
        for (sum, input) in sums.iter_mut().zip(inputs) {
            let total = if MINS == 1 { input.sums[0] + input.sums[1] } else { input.sums[group] };
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
