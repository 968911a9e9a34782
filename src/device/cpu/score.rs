//! What a score is beyond scale · query · key: a soft cap, and a bias by position.

use super::Cpu;
use super::simd::F32x4;
use crate::device::{Attention, PositionBias};

/// Turns the scaled products of `head`'s query at `position` with the keys from `first` on into scores.
pub fn finish(attention: &Attention<Cpu>, scores: &mut [f32], head: usize, position: usize, first: usize) {
    if let Some(cap) = attention.shape.soft_cap {
        scores.as_chunks_mut::<4>().0.iter_mut().for_each(|four| soft_cap(cap, four));
        scores.as_chunks_mut::<4>().1.iter_mut().for_each(|score| *score = cap * (*score / cap).tanh());
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

/// cap · tanh(score / cap), by tanh x = 1 − 2 / (e²ˣ + 1): for small x that is off by 1e-7 of the cap.
fn soft_cap(cap: f32, scores: &mut [f32; 4]) {
    let one = F32x4::splat(1.0);
    let power = F32x4::load(scores).mul(F32x4::splat(2.0 / cap)).exp();
    let tanh = one.sub(F32x4::splat(2.0).div(power.add(one)));
    *scores = tanh.mul(F32x4::splat(cap)).to_array();
}
