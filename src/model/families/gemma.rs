//! Gemma: Llama's block with GELU in its gate, norms whose weights are 1 more than saved, and embeddings scaled by
//! √width, which are the head too.
//!
//! Paper: <https://arxiv.org/abs/2403.08295>. Checkpoints: `google/gemma-2b`, `google/gemma-1.1-2b-it`, …

use super::config::Config;
use super::llama;
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Head, Norm, Spec};

/// What transformers takes where `config.json` does not say.
const HEAD_DIM: usize = 256;

pub fn spec(config: &Config) -> Result<Spec> {
    config.refuse("use_bidirectional_attention")?;
    let mut spec = block(config)?;
    // The first release says "gelu", and means this.
    for feed_forward in spec.feed_forwards().filter(|feed_forward| feed_forward.activation == Activation::Gelu) {
        feed_forward.activation = Activation::GeluTanh;
    }
    Ok(spec)
}

/// What all Gemmas share.
pub fn block(config: &Config) -> Result<Spec> {
    let head_dim = config.count("head_dim", HEAD_DIM)?;
    let mut spec = llama::block_of(config, head_dim, config.rope(head_dim, 10_000.0, None)?)?;
    spec.set_attention_biases(config.flag("attention_bias", false)?);
    let activation = config.activation("hidden_activation|hidden_act", Activation::GeluTanh)?;
    spec.feed_forwards().for_each(|feed_forward| feed_forward.activation = activation);
    spec.head = Head::Vocabulary(llama::head(config, true)?);
    if let Norm::Rms { plus_one, .. } = &mut spec.norm {
        *plus_one = true;
    }
    let scale = (spec.width as f32).sqrt();
    spec.tokens().for_each(|tokens| tokens.scale = scale);
    Ok(spec)
}
