//! Norms, rotary positions, activations, patches and means: a pass or two over memory each.

use super::simd::F32x4;
use crate::device::{Activation, Gating, Patching, RopePairs};

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

/// Turns the heads of one row of a batch, [heads, head_dim], by cos and sin of their angles.
pub fn turn(rotations: &[[f32; 2]], x: &mut [f32], head_dim: usize, pairs: RopePairs) {
    let turned = |a: f32, b: f32, [cos, sin]: &[f32; 2]| (a * cos - b * sin, a * sin + b * cos);
    for head in x.chunks_exact_mut(head_dim) {
        match pairs {
            RopePairs::HalfSplit => {
                let (first, second) = head[..2 * rotations.len()].split_at_mut(rotations.len());
                for ((a, b), angle) in first.iter_mut().zip(second).zip(rotations) {
                    (*a, *b) = turned(*a, *b, angle);
                }
            }
            RopePairs::Interleaved => {
                for ([a, b], angle) in head.as_chunks_mut::<2>().0.iter_mut().zip(rotations) {
                    (*a, *b) = turned(*a, *b, angle);
                }
            }
        }
    }
}

/// (x − mean x) / √(variance x + epsilon) · weight + bias.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: Option<&[f32]>, epsilon: f32, out: &mut [f32]) {
    let (fours, rest) = x.as_chunks::<4>();
    let sum = fours.iter().fold(F32x4::ZERO, |sum, four| sum.add(F32x4::load(four)));
    let mean = (sum.sum() + rest.iter().sum::<f32>()) / x.len() as f32;
    for (out, x) in out.iter_mut().zip(x) {
        *out = x - mean;
    }
    let scale = rms_scale(out, epsilon);
    for (i, (out, weight)) in out.iter_mut().zip(weight).enumerate() {
        *out = *out * scale * weight + bias.map_or(0.0, |bias| bias[i]);
    }
}

/// x = activation(x).
pub fn activate(activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::Silu => each_four(x, |x| sigmoid_times(x, x)),
        Activation::Gelu => each_four(x, |x| x.mul(normal_distribution(x))),
        Activation::GeluTanh => each_four(x, |x| {
            let cubic = x.mul(x).mul_add(F32x4::splat(0.044715), F32x4::splat(1.0));
            sigmoid_times(x, x.mul(cubic).mul(F32x4::splat(1.595_769)))
        }),
        Activation::GeluQuick => each_four(x, |x| sigmoid_times(x, x.mul(F32x4::splat(1.702)))),
        Activation::Relu => each_four(x, |x| x.max(F32x4::ZERO)),
        Activation::Tanh => each_four(x, tanh),
    }
}

/// gates = gating(gates, ups).
pub fn gate(gating: Gating, gates: &mut [f32], ups: &[f32]) {
    match gating {
        Gating::Plain(activation) => {
            activate(activation, gates);
            multiply(gates, ups);
        }
        Gating::Clamped { limit } => {
            // Of what is no number none of these makes one.
            each_four(gates, |gate| {
                let gate = gate.min(F32x4::splat(limit));
                sigmoid_times(gate, gate.mul(F32x4::splat(1.702)))
            });
            for (gate, up) in gates.iter_mut().zip(ups) {
                let up = if *up > limit { limit } else { *up };
                *gate *= if up < -limit { -limit } else { up } + 1.0;
            }
        }
    }
}

/// x = cap · tanh(x / cap).
pub fn soft_cap(x: &mut [f32], cap: f32) {
    each_four(x, |x| tanh(x.mul(F32x4::splat(cap.recip()))).mul(F32x4::splat(cap)));
}

/// tanh x = 1 − 2 / (e²ˣ + 1): for small x that is off by 1e-7.
#[inline(always)]
fn tanh(x: F32x4) -> F32x4 {
    let one = F32x4::splat(1.0);
    one.sub(F32x4::splat(2.0).div(x.add(x).exp().add(one)))
}

/// x · σ(z)
#[inline(always)]
fn sigmoid_times(x: F32x4, z: F32x4) -> F32x4 {
    x.div(F32x4::splat(1.0).add(F32x4::ZERO.sub(z).exp()))
}

/// Φ(x) = (1 + erf(x / √2)) / 2, within 1e-7: Abramowitz and Stegun, 7.1.26.
#[inline(always)]
fn normal_distribution(x: F32x4) -> F32x4 {
    const COEFFICIENTS: [f32; 4] = [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    let one = F32x4::splat(1.0);
    let z = x.abs().mul(F32x4::splat(std::f32::consts::FRAC_1_SQRT_2));
    let t = one.div(z.mul_add(F32x4::splat(0.327_591_1), one));
    let polynomial = COEFFICIENTS.iter().fold(F32x4::splat(1.061_405_4), |sum, c| sum.mul_add(t, F32x4::splat(*c)));
    // What is beyond |x|, half of it on each side.
    let tail = polynomial.mul(t).mul(F32x4::ZERO.sub(z.mul(z)).exp()).mul(F32x4::splat(0.5));
    let half = F32x4::splat(0.5).sub(tail);
    F32x4::splat(0.5).add(half.with_sign_of(x))
}

#[inline(always)]
fn each_four(x: &mut [f32], f: impl Fn(F32x4) -> F32x4) {
    let (fours, rest) = x.as_chunks_mut::<4>();
    for four in fours {
        *four = f(F32x4::load(four)).to_array();
    }
    for x in rest {
        [*x, ..] = f(F32x4::splat(*x)).to_array();
    }
}

/// x = x + more.
pub fn add(x: &mut [f32], more: &[f32]) {
    x.iter_mut().zip(more).for_each(|(x, more)| *x += more);
}

/// x = x · factor.
pub fn multiply(x: &mut [f32], factor: &[f32]) {
    for (x, factor) in x.iter_mut().zip(factor) {
        *x *= factor;
    }
}

/// One patch of an image [channels, height, width], as a row of a matrix.
pub fn patch(image: &[f32], patching: &Patching, patch: usize, out: &mut [f32]) {
    let [height, width] = patching.patch;
    let [_, across] = patching.grid();
    let (top, left) = (patch / across * height, patch % across * width);
    let mut lines = out.chunks_exact_mut(width);
    for plane in image.chunks_exact(patching.height * patching.width) {
        for (y, line) in (top..top + height).zip(&mut lines) {
            line.copy_from_slice(&plane[y * patching.width + left..][..width]);
        }
    }
    out[patching.channels * height * width..].fill(0.0);
}

/// The mean of the rows of `x`.
pub fn mean(x: &[f32], out: &mut [f32]) {
    let rows = x.len() / out.len();
    out.copy_from_slice(&x[..out.len()]);
    for row in x.chunks_exact(out.len()).skip(1) {
        out.iter_mut().zip(row).for_each(|(out, x)| *out += x);
    }
    if rows > 1 {
        out.iter_mut().for_each(|out| *out /= rows as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_their_formulas() {
        /// erf by its series, in f64.
        fn erf(x: f64) -> f64 {
            let (mut sum, mut term) = (0.0, x);
            for n in 0..200 {
                sum += term / f64::from(2 * n + 1);
                term *= -x * x / f64::from(n + 1);
            }
            sum * 2.0 / std::f64::consts::PI.sqrt()
        }
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let formulas: [(Activation, &dyn Fn(f64) -> f64); 6] = [
            (Activation::Silu, &|x| x * sigmoid(x)),
            (Activation::Gelu, &|x| x * (1.0 + erf(x / 2f64.sqrt())) / 2.0),
            (Activation::GeluTanh, &|x| {
                x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh()) / 2.0
            }),
            (Activation::GeluQuick, &|x| x * sigmoid(1.702 * x)),
            (Activation::Relu, &|x| x.max(0.0)),
            (Activation::Tanh, &f64::tanh),
        ];
        for (activation, formula) in formulas {
            let inputs: Vec<f32> = (-50..=50).map(|x| x as f32 * 0.11).collect();
            let mut found = inputs.clone();
            activate(activation, &mut found);
            for (x, found) in inputs.iter().zip(&found) {
                let expected = formula(f64::from(*x));
                let error = (f64::from(*found) - expected).abs();
                assert!(error <= 5e-7 * (1.0 + expected.abs()), "{activation:?}({x}) = {found}, not {expected}");
            }
            let mut extremes = [-1e4, 1e4, 0.0];
            activate(activation, &mut extremes);
            let [least, most] = if activation == Activation::Tanh { [-1.0, 1.0] } else { [0.0, 1e4] };
            assert!(
                (extremes[0] - least).abs() < 1e-30 && extremes[1..] == [most, 0.0],
                "{activation:?}: {extremes:?}"
            );
        }
    }

    #[test]
    fn a_layer_norm_takes_the_mean_away() {
        let x = [1.0, 2.0, 3.0, 4.0, 10.0];
        let mut out = [0.0; 5];
        layer_norm(&x, &[2.0; 5], Some(&[0.5; 5]), 0.0, &mut out);
        let deviation = 10f32.sqrt();
        for (out, x) in out.iter().zip(x) {
            assert!((out - (2.0 * (x - 4.0) / deviation + 0.5)).abs() < 1e-6);
        }
    }
}
