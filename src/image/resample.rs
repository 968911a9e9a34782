//! How an axis is resampled, as Pillow does it: `precompute_coeffs` of its `Resample.c`, `ImagingScaleAffine` of its
//! `Geometry.c`.

use crate::device::picture::{PRECISION, Taps};
use std::f64::consts::PI;

/// With Pillow's numbers for them, which `resample` in the configuration has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// 0
    Nearest,
    /// 1
    Lanczos,
    /// 2
    Bilinear,
    /// 3: a = −½ (Keys 1981, <https://doi.org/10.1109/TASSP.1981.1163711>).
    Bicubic,
    /// 4
    Box,
    /// 5
    Hamming,
}

impl Filter {
    /// How far it reaches.
    fn support(self) -> f64 {
        match self {
            Filter::Lanczos => 3.0,
            Filter::Bicubic => 2.0,
            Filter::Bilinear | Filter::Hamming | Filter::Nearest => 1.0,
            Filter::Box => 0.5,
        }
    }

    fn weight(self, x: f64) -> f64 {
        if self == Filter::Box {
            return if x > -0.5 && x <= 0.5 { 1.0 } else { 0.0 };
        }
        let x = x.abs();
        match self {
            Filter::Lanczos if x < 3.0 => sinc(x) * sinc(x / 3.0),
            // Its numbers are single there, which now and then is a level.
            Filter::Hamming if x < 1.0 => sinc(x) * (f64::from(0.54f32) + f64::from(0.46f32) * (PI * x).cos()),
            Filter::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Filter::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
            Filter::Bilinear | Filter::Nearest if x < 1.0 => 1.0 - x,
            _ => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// An axis of a picture, on its way to the model.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    pub from: usize,
    pub to: usize,
    /// The part of `to` that is kept: where it begins, which may be before 0, and how long it is.
    pub start: isize,
    pub len: usize,
}

impl Axis {
    /// The part is where transformers' `center_crop` has it, which pads what is too small.
    pub fn cropped(from: usize, to: usize, len: usize) -> Self {
        let start = match to >= len {
            true => ((to - len) / 2) as isize,
            false => -(((len - to).div_ceil(2)) as isize),
        };
        Self { from, to, start, len }
    }

    pub fn taps(self, filter: Filter) -> Taps {
        let scale = self.from as f64 / self.to as f64;
        // Pictures that shrink are smoothed.
        let stretch = scale.max(1.0);
        let reach = filter.support() * stretch;
        // All have as many inputs, of which some weigh nothing.
        let count = match filter {
            Filter::Nearest => 1,
            _ => (2 * reach.ceil() as usize + 1).min(self.from),
        };
        let mut taps = Taps { first: Vec::with_capacity(self.len), count, weights: vec![0; self.len * count] };
        // Pillow adds the step up for the nearest, and rounds as often.
        let skipped = self.start.max(0) as usize;
        let mut nearest = (0..skipped).fold(scale * 0.5, |place, _| place + scale);
        for (at, weights) in (self.start..).zip(taps.weights.chunks_exact_mut(count)) {
            // What is beyond the picture weighs nothing.
            let place = at.clamp(0, self.to as isize - 1);
            if filter == Filter::Nearest {
                taps.first.push((nearest as usize).min(self.from - 1) as u32);
                if place == at {
                    weights[0] = 1 << PRECISION;
                    nearest += scale;
                }
                continue;
            }
            let center = (place as f64 + 0.5) * scale;
            let start = (center - reach + 0.5).max(0.0) as usize;
            let end = ((center + reach + 0.5) as usize).min(self.from);
            let first = start.min(self.from - count);
            taps.first.push(first as u32);
            if place == at {
                let weight = |input: usize| filter.weight((input as f64 - center + 0.5) * (1.0 / stretch));
                let total: f64 = (start..end).map(weight).sum();
                for input in start..end {
                    let exact = weight(input) / total * f64::from(1 << PRECISION);
                    weights[input - first] = (exact + 0.5f64.copysign(exact)) as i32;
                }
            }
        }
        taps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hamming_s_numbers_are_single_as_pillow_s_are() {
        // sin(π/2) / (π/2) · (0.54f + 0.46f · cos(π/2))
        assert!((Filter::Hamming.weight(0.5) - 0.540_000_021_457_672_1 * 2.0 / PI).abs() < 1e-15);
    }
}
