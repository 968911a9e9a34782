//! From the hidden states of a text's tokens to one vector: what sentence-transformers' `Pooling` does.

use super::tower::Sequence;
use crate::device::Span;
use crate::error::{Error, Result};
use std::ops::Range;

/// How a text becomes one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vector {
    Mean,
    FirstToken,
    LastToken,
    /// tanh of a product of the first token: BERT's pooler.
    Pooler,
    /// The largest of each value.
    Max,
    /// The sum by the root of its length.
    MeanSqrtLength,
    /// The mean, with each token as often as its place says: the first once, the second twice, …
    WeightedMean,
}

impl Vector {
    /// Whether it is made of single tokens or a plain sum, which devices do.
    pub(super) fn is_plain(self) -> bool {
        !matches!(self, Vector::Max | Vector::WeightedMean)
    }
}

/// The rows of each sequence that its vector is made of. Error: invalid-argument where none is.
pub(super) fn runs(spans: &[Span], rows: &[Sequence], vector: Vector) -> Result<Vec<Range<usize>>> {
    let run = |(span, row): (&Span, &Sequence)| {
        let (start, end) = (span.row + row.unpooled, span.row + span.len);
        if start >= end {
            let message = format!("a prompt of {} tokens leaves none of the text's {}", row.unpooled, span.len);
            return Err(Error::invalid(message));
        }
        Ok(match vector {
            Vector::FirstToken => start..start + 1,
            Vector::LastToken => end - 1..end,
            Vector::Pooler => span.row..span.row + 1,
            _ => start..end,
        })
    };
    spans.iter().zip(rows).map(run).collect()
}

/// What a device's means become where each counts by the root of its length, [sequences, width].
pub(super) fn by_root_of_length(vectors: &mut [f32], width: usize, runs: &[Range<usize>]) {
    for (values, run) in vectors.chunks_exact_mut(width).zip(runs) {
        values.iter_mut().for_each(|value| *value *= (run.len() as f32).sqrt());
    }
}

/// One vector of each run of `hidden`, [tokens, width], where devices have no verb for it. `spans` tell where sequences
/// begin: places are counted from there.
pub(super) fn pooled(hidden: &[f32], width: usize, spans: &[Span], runs: &[Range<usize>], vector: Vector) -> Vec<f32> {
    let mut vectors = Vec::with_capacity(runs.len() * width);
    for (span, run) in spans.iter().zip(runs) {
        let token = |row: usize| &hidden[row * width..][..width];
        let mut values = vec![if vector == Vector::Max { f32::NEG_INFINITY } else { 0.0 }; width];
        let mut total = 0.0;
        for row in run.clone() {
            let weight = (row - span.row + 1) as f32;
            total += weight;
            for (value, hidden) in values.iter_mut().zip(token(row)) {
                *value = if vector == Vector::Max { value.max(*hidden) } else { *value + weight * hidden };
            }
        }
        if vector != Vector::Max {
            values.iter_mut().for_each(|value| *value /= total);
        }
        vectors.extend(values);
    }
    vectors
}
