//! Classes and their scores.

use crate::error::{Error, Result};
use crate::model::Scores;
use serde::Serialize;

#[derive(Clone, Serialize)]
pub struct Classification {
    label: String,
    index: usize,
    score: f32,
}

/// The classes of the largest logits, with what they come to.
pub fn best(logits: &[f32], labels: &[String], scores: Scores, count: usize) -> Result<Vec<Classification>> {
    if logits.iter().any(|logit| logit.is_nan()) {
        return Err(Error::new(crate::Code::Internal, "a logit is no number"));
    }
    let scores = scores.of(logits);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    order.truncate(count);
    let class = |index: usize| Classification {
        label: labels.get(index).cloned().unwrap_or_else(|| format!("LABEL_{index}")),
        index,
        score: scores[index],
    };
    Ok(order.into_iter().map(class).collect())
}
