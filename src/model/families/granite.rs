//! Granite: Llama's block with four multipliers: of the embedding, of attention's scores, of what each branch adds, and of
//! the logits.
//!
//! Technical report: <https://github.com/ibm-granite/granite-3.0-language-models>. Checkpoints:
//! `ibm-granite/granite-3.3-2b-instruct`, …

use super::config::Config;
use super::llama;
use crate::error::{Error, Result};
use crate::model::spec::{Norm, Spec};

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = llama::block(config, 10_000.0, None)?;
    spec.set_feed_forward_biases(config.flag("mlp_bias", false)?);
    multiply(config, spec)
}

/// Gives a block of Llama's the biases of its attention, and the multipliers.
///
/// x + m · f(norm(x)) is m · (x / m + f(norm(x / m))), since a norm does not see its input's size but by epsilon: so it is
/// the embedding that is divided by m, and each epsilon by m², and branches are added as they are.
pub fn multiply(config: &Config, mut spec: Spec) -> Result<Spec> {
    spec.set_attention_biases(config.flag("attention_bias", false)?);
    let branches = config.number("residual_multiplier", 1.0)?;
    let logits = config.number("logits_scaling", 1.0)?;
    if !(branches > 0.0 && branches.is_finite() && logits != 0.0) {
        let message = format!("\"residual_multiplier\": {branches}, \"logits_scaling\": {logits}");
        return Err(Error::unsupported(message));
    }
    let scale = config.number("attention_multiplier", 1.0)? as f32;
    spec.attentions().for_each(|attention| attention.scale = scale);
    if let Norm::Rms { epsilon, .. } = &mut spec.norm {
        *epsilon = (f64::from(*epsilon) / (branches * branches)) as f32;
    }
    let scale = (config.number("embedding_multiplier", 1.0)? / branches) as f32;
    spec.tokens().for_each(|tokens| tokens.scale = scale);
    spec.vocabulary_head_mut().into_iter().for_each(|head| head.scale = (1.0 / logits) as f32);
    Ok(spec)
}
