//! Rotary position embeddings: how fast each pair of dimensions turns.
//!
//! RoPE: <https://arxiv.org/abs/2104.09864>. The scalings stretch a model to longer contexts than it
//! was trained on: linear (<https://arxiv.org/abs/2306.15595>), Llama 3's (by wavelength), YaRN
//! (<https://arxiv.org/abs/2309.00071>) and LongRoPE (<https://arxiv.org/abs/2402.13753>). The formulas follow `modeling_rope_utils.py` of transformers.

use crate::device::{RopePairs, Rotations, Span};
use serde::Serialize;
use std::f64::consts::TAU;
use std::ops::Range;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rope {
    pub pairs: RopePairs,
    /// Leading dimensions of a head that turn.
    pub dims: usize,
    pub theta: f64,
    pub scaling: RopeScaling,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum RopeScaling {
    None,
    Linear {
        factor: f64,
    },
    #[serde(rename_all = "camelCase")]
    Llama3 {
        factor: f64,
        low_frequency_factor: f64,
        high_frequency_factor: f64,
        original_context: f64,
    },
    #[serde(rename_all = "camelCase")]
    Yarn {
        factor: f64,
        original_context: f64,
        beta_fast: f64,
        beta_slow: f64,
        magnitude: f64,
        truncate: bool,
    },
    /// Divisors for each pair, others in sequences that are longer than the original context; empty where they are tensors
    /// of the checkpoint.
    #[serde(rename_all = "camelCase")]
    LongRope {
        short: Vec<f64>,
        long: Vec<f64>,
        original_context: usize,
        magnitude: f64,
    },
}

impl RopeScaling {
    /// Whether its factors are tensors of the checkpoint.
    pub fn is_in_tensors(&self) -> bool {
        matches!(self, RopeScaling::LongRope { short, long, .. } if short.is_empty() && long.is_empty())
    }
}

impl Rope {
    /// Radians a position for each pair, [dims / 2]. `factors` divide them, as GGUF's `rope_freqs` say.
    pub fn frequencies(&self, factors: Option<&[f32]>) -> Vec<f32> {
        let pairs = self.dims / 2;
        (0..pairs)
            .map(|pair| {
                let plain = self.plain(pair);
                let factor = factors.map_or(1.0, |factors| f64::from(factors[pair]));
                (self.scaled(plain, pair) / factor) as f32
            })
            .collect()
    }

    /// The table of a batch's angles. `factors`: see [`Rope::frequencies`].
    pub fn table(&self, factors: Option<&[f32]>) -> RopeTable {
        let mut table = RopeTable { frequencies: self.frequencies(factors), magnitude: self.magnitude(), beyond: None };
        if let RopeScaling::LongRope { long, original_context, .. } = &self.scaling {
            let frequencies = (0..self.dims / 2).map(|pair| (self.plain(pair) / long[pair]) as f32).collect();
            table.beyond = Some((*original_context, frequencies));
        }
        table
    }

    /// Radians a position before any scaling.
    fn plain(&self, pair: usize) -> f64 {
        self.theta.powf(-(2.0 * pair as f64) / self.dims as f64)
    }

    /// What cos and sin are multiplied by.
    pub fn magnitude(&self) -> f32 {
        match self.scaling {
            RopeScaling::Yarn { magnitude, .. } | RopeScaling::LongRope { magnitude, .. } => magnitude as f32,
            _ => 1.0,
        }
    }

    fn scaled(&self, plain: f64, pair: usize) -> f64 {
        if let RopeScaling::LongRope { short, .. } = &self.scaling {
            return plain / short[pair];
        }
        match self.scaling {
            RopeScaling::None | RopeScaling::LongRope { .. } => plain,
            RopeScaling::Linear { factor } => plain / factor,
            RopeScaling::Llama3 { factor, low_frequency_factor, high_frequency_factor, original_context } => {
                let turns = original_context * plain / TAU;
                if turns > high_frequency_factor {
                    plain
                } else if turns < low_frequency_factor {
                    plain / factor
                } else {
                    let smooth = (turns - low_frequency_factor) / (high_frequency_factor - low_frequency_factor);
                    plain * ((1.0 - smooth) / factor + smooth)
                }
            }
            RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, truncate, .. } => {
                // The pair that turns `rotations` times within the original context.
                let pair_of = |rotations: f64| {
                    self.dims as f64 * (original_context / (rotations * TAU)).ln() / (2.0 * self.theta.ln())
                };
                let (mut low, mut high) = (pair_of(beta_fast), pair_of(beta_slow));
                if truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                let (low, high) = (low.max(0.0), high.min(self.dims as f64 - 1.0));
                let span = if high == low { 0.001 } else { high - low };
                let interpolated = ((pair as f64 - low) / span).clamp(0.0, 1.0);
                plain / factor * interpolated + plain * (1.0 - interpolated)
            }
        }
    }
}

/// YaRN's correction of attention's temperature for a context stretched by `factor`.
pub fn yarn_magnitude(factor: f64, mscale: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 }
}

/// One table of rotary angles.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeTable {
    /// Radians a position, one a pair that turns.
    pub frequencies: Vec<f32>,
    /// Multiplies cos and sin.
    pub magnitude: f32,
    /// Those of a sequence that has more tokens than so many.
    pub beyond: Option<(usize, Vec<f32>)>,
}

impl RopeTable {
    /// What turns a sequence of so many tokens.
    pub fn of_sequence(&self, tokens: usize) -> &[f32] {
        match &self.beyond {
            Some((original, frequencies)) if tokens > *original => frequencies,
            _ => &self.frequencies,
        }
    }
}

/// Rotary angles of a batch's rows, made once for whatever device: see [`Rotations`].
#[derive(Default)]
pub struct Angles {
    values: Vec<f32>,
    tables: Vec<Range<usize>>,
}

impl Angles {
    /// Those of spans whose rows stand one after the other, angle = position · frequency.
    pub fn of(ropes: &[RopeTable], spans: &[Span]) -> Self {
        let mut angles = Self::default();
        angles.set(ropes, spans, &[]);
        angles
    }

    /// The same, in the memory that there is. `lengths`: tokens that each span's sequence is known to have; empty: those up
    /// to the span's last.
    pub fn set(&mut self, ropes: &[RopeTable], spans: &[Span], lengths: &[usize]) {
        let Self { values, tables } = self;
        tables.clear();
        let mut end = 0;
        for rope in ropes {
            tables.push(end..end + rope.frequencies.len());
            end += rope.frequencies.len();
        }
        values.clear();
        for (at, span) in spans.iter().enumerate() {
            let length = lengths.get(at).copied().unwrap_or(span.position + span.len);
            for position in span.position..span.position + span.len {
                for rope in ropes {
                    for frequency in rope.of_sequence(length) {
                        // cos and sin of large angles are beyond what a GPU promises.
                        let (sin, cos) = (position as f32 * frequency).sin_cos();
                        values.extend([cos * rope.magnitude, sin * rope.magnitude]);
                    }
                }
            }
        }
    }

    pub fn rotations(&self) -> Rotations<'_> {
        Rotations { values: &self.values, tables: &self.tables }
    }
}
