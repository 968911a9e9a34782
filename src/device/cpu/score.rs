//! What a score is beyond scale · query · key: a soft cap, and a bias by position.

use super::elementwise;
use crate::device::{CachedAttention, Device, PositionBias};

/// Turns the scaled products of `head`'s query at `position` with the keys from `first` on into scores.
pub fn finish(
    attention: &CachedAttention<impl Device<Buffer = Vec<f32>>>,
    scores: &mut [f32],
    head: usize,
    position: usize,
    first: usize,
) {
    if let Some(cap) = attention.shape.soft_cap {
        elementwise::soft_cap(scores, cap);
    }
    let distance = |key: usize| (first + key) as isize - position as isize;
    match &attention.bias {
        PositionBias::None => {}
        PositionBias::Linear(slopes) => {
            let slope = slopes[head];
            scores.iter_mut().enumerate().for_each(|(key, score)| *score += slope * distance(key) as f32);
        }
        PositionBias::Table { table, reach } => {
            let table = &table[head * (2 * reach + 1)..][..2 * reach + 1];
            let reach = *reach as isize;
            let at = |key: usize| (distance(key).clamp(-reach, reach) + reach) as usize;
            scores.iter_mut().enumerate().for_each(|(key, score)| *score += table[at(key)]);
        }
    }
}
