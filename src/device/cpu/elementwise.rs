//! Norms, rotary positions and activations: one pass over memory each.

use super::simd::F32x4;
use crate::device::{Activation, RopePairs};

/// x / √(mean x² + epsilon) · weight.
pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let scale = rms_scale(x, epsilon);
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

pub fn rms_norm_in_place(x: &mut [f32], weight: &[f32], epsilon: f32) {
    let scale = rms_scale(x, epsilon);
    for (x, weight) in x.iter_mut().zip(weight) {
        *x *= scale * weight;
    }
}

fn rms_scale(x: &[f32], epsilon: f32) -> f32 {
    let (fours, rest) = x.as_chunks::<4>();
    let squares = fours.iter().fold(F32x4::ZERO, |sum, four| {
        let four = F32x4::load(four);
        four.mul_add(four, sum)
    });
    let sum = squares.sum() + rest.iter().map(|x| x * x).sum::<f32>();
    (sum / x.len() as f32 + epsilon).sqrt().recip()
}

/// cos and sin of each row's angles: [rows, pairs].
#[derive(Default)]
pub struct Rotations {
    pairs: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rotations {
    pub fn set(&mut self, positions: impl Iterator<Item = usize>, frequencies: &[f32], magnitude: f32) {
        self.pairs = frequencies.len();
        self.cos.clear();
        self.sin.clear();
        for position in positions {
            for frequency in frequencies {
                let (sin, cos) = (position as f32 * frequency).sin_cos();
                self.cos.push(cos * magnitude);
                self.sin.push(sin * magnitude);
            }
        }
    }

    /// Turns the heads of one row of the batch, [heads, head_dim].
    pub fn turn(&self, row: usize, x: &mut [f32], head_dim: usize, pairs: RopePairs) {
        let angles = row * self.pairs..(row + 1) * self.pairs;
        let (cos, sin) = (&self.cos[angles.clone()], &self.sin[angles]);
        let (step, apart) = match pairs {
            RopePairs::HalfSplit => (1, self.pairs),
            RopePairs::Interleaved => (2, 1),
        };
        for head in x.chunks_exact_mut(head_dim) {
            for (pair, (cos, sin)) in cos.iter().zip(sin).enumerate() {
                let (i, j) = (pair * step, pair * step + apart);
                let (a, b) = (head[i], head[j]);
                head[i] = a * cos - b * sin;
                head[j] = a * sin + b * cos;
            }
        }
    }
}

/// gate = activation(gate) · up.
pub fn gate(activation: Activation, gate: &mut [f32], up: &[f32]) {
    let Activation::Silu = activation;
    let (gates, gate_rest) = gate.as_chunks_mut::<4>();
    let (ups, up_rest) = up.as_chunks::<4>();
    for (gate, up) in gates.iter_mut().zip(ups) {
        let x = F32x4::load(gate);
        let denominator = F32x4::splat(1.0).add(F32x4::ZERO.sub(x).exp());
        *gate = x.div(denominator).mul(F32x4::load(up)).to_array();
    }
    for (gate, up) in gate_rest.iter_mut().zip(up_rest) {
        *gate = *gate / (1.0 + (-*gate).exp()) * up;
    }
}
