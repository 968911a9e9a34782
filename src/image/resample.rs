//! How an axis is resampled, as Pillow does it: `precompute_coeffs` of its `Resample.c`, `ImagingScaleAffine` of its
//! `Geometry.c`.

use crate::device::picture::{PRECISION, Taps};

/// With Pillow's numbers for them, which `resample` in the configuration has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// 0
    Nearest,
    /// 2
    Bilinear,
    /// 3: a = −½ (Keys 1981, <https://doi.org/10.1109/TASSP.1981.1163711>).
    Bicubic,
}

impl Filter {
    /// How far it reaches.
    fn support(self) -> f64 {
        match self {
            Filter::Bicubic => 2.0,
            Filter::Bilinear | Filter::Nearest => 1.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let x = x.abs();
        match self {
            Filter::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Filter::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
            Filter::Bilinear | Filter::Nearest if x < 1.0 => 1.0 - x,
            _ => 0.0,
        }
    }
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

    /// For each that is kept, the resampled place that it shows, or the nearest to it, and whether it shows that.
    fn places(self) -> impl Iterator<Item = (usize, bool)> {
        (0..self.len as isize).map(move |kept| {
            let at = self.start + kept;
            let place = at.clamp(0, self.to as isize - 1);
            (place as usize, place == at)
        })
    }

    pub fn taps(self, filter: Filter) -> Taps {
        match filter {
            _ if self.from == self.to => self.picked(|place| place),
            Filter::Nearest => {
                // Pillow adds the step up, and rounds as often.
                let step = self.from as f64 / self.to as f64;
                let places = std::iter::successors(Some(step * 0.5), |place| Some(place + step));
                let skipped = self.start.max(0) as usize;
                let shown: Vec<f64> = places.skip(skipped).take(self.len.min(self.to)).collect();
                self.picked(|place| (shown[place - skipped] as usize).min(self.from - 1))
            }
            _ => self.filtered(filter),
        }
    }

    /// Each output is one of the inputs.
    fn picked(self, input: impl Fn(usize) -> usize) -> Taps {
        let first = self.places().map(|(place, _)| input(place) as u32).collect();
        let weights = self.places().map(|(_, shown)| i32::from(shown) << PRECISION).collect();
        Taps { first, count: 1, weights }
    }

    fn filtered(self, filter: Filter) -> Taps {
        let scale = self.from as f64 / self.to as f64;
        // Pictures that shrink are smoothed.
        let stretch = scale.max(1.0);
        let reach = filter.support() * stretch;
        let inputs = |place: usize| {
            let center = (place as f64 + 0.5) * scale;
            let first = (center - reach + 0.5).max(0.0) as usize;
            let end = ((center + reach + 0.5) as usize).min(self.from);
            (center, first..end)
        };
        let count = self.places().map(|(place, _)| inputs(place).1.len()).max().unwrap_or(0);
        let mut taps = Taps { first: Vec::with_capacity(self.len), count, weights: vec![0; self.len * count] };
        for (weights, (place, shown)) in taps.weights.chunks_exact_mut(count).zip(self.places()) {
            let (center, inputs) = inputs(place);
            // All have as many, of which some weigh nothing.
            let first = inputs.start.min(self.from - count);
            taps.first.push(first as u32);
            let weight = |input: usize| filter.weight((input as f64 - center + 0.5) * (1.0 / stretch));
            if shown {
                let total: f64 = inputs.clone().map(weight).sum();
                for input in inputs {
                    let exact = weight(input) / total * f64::from(1 << PRECISION);
                    weights[input - first] = (exact + 0.5f64.copysign(exact)) as i32;
                }
            }
        }
        taps
    }
}
