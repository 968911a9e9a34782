//! Classes and their probabilities.

use crate::error::{Error, Result};
use serde::Serialize;

#[derive(Clone, Serialize)]
pub struct Classification {
    label: String,
    index: usize,
    score: f32,
}

/// The classes of the largest logits, with their probabilities by softmax.
pub fn best(logits: &[f32], labels: &[String], count: usize) -> Result<Vec<Classification>> {
    if logits.iter().any(|logit| logit.is_nan()) {
        return Err(Error::new(crate::Code::Internal, "a logit is no number"));
    }
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    order.truncate(count);
    let class = |index: usize| Classification {
        label: labels.get(index).cloned().unwrap_or_else(|| format!("LABEL_{index}")),
        index,
        score: (logits[index] - largest).exp() / total,
    };
    Ok(order.into_iter().map(class).collect())
}
