//! Gemma 2: Gemma's block with norms before and after each branch, a sliding window in every other layer, and scores and
//! logits that tanh keeps below a cap.
//!
//! Paper: <https://arxiv.org/abs/2408.00118>. Checkpoints: `google/gemma-2-2b-it`, …

use super::config::Config;
use super::{Names, Role, gemma, llama};
use crate::error::Result;
use crate::model::spec::{Head, Residual, Spec};

/// What transformers takes where `config.json` does not say.
pub const WINDOW: usize = 4096;

/// Likewise; null says that there is none.
const SCORE_CAP: Option<f64> = Some(50.0);
const LOGIT_CAP: Option<f64> = Some(30.0);

pub fn spec(config: &Config) -> Result<Spec> {
    config.refuse("use_bidirectional_attention")?;
    let mut spec = block(config, LOGIT_CAP)?;
    let cap = cap(config, "attn_logit_softcapping", SCORE_CAP)?;
    spec.attentions().for_each(|attention| attention.soft_cap = cap);
    let local = config.local_layers(spec.layers(), |layer| layer % 2 == 0)?;
    windows(config, spec, &local)
}

/// What Gemma 3 shares. `logit_cap`: where the configuration does not say.
pub fn block(config: &Config, logit_cap: Option<f64>) -> Result<Spec> {
    let mut spec = gemma::block(config)?;
    spec.set_residual(Residual::Sandwich);
    let scale = (config.number("query_pre_attn_scalar", 256.0)? as f32).sqrt().recip();
    spec.attentions().for_each(|attention| attention.scale = scale);
    if let Head::Vocabulary(head) = &mut spec.head {
        head.soft_cap = cap(config, "final_logit_softcapping", logit_cap)?;
    }
    Ok(spec)
}

fn cap(config: &Config, name: &str, default: Option<f64>) -> Result<Option<f32>> {
    let cap = if config.mentions(name) { config.optional_number(name)? } else { default };
    Ok(cap.map(|cap| cap as f32))
}

/// Gives the local layers their window.
pub fn windows(config: &Config, mut spec: Spec, local: &[bool]) -> Result<Spec> {
    spec.set_windows(local, Some(config.count("sliding_window", WINDOW)?));
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = llama::NAMES.with(&[
    (Role::AttentionPostNorm, "layers.{}.post_attention_layernorm"),
    (Role::FeedForwardNorm, "layers.{}.pre_feedforward_layernorm"),
    (Role::FeedForwardPostNorm, "layers.{}.post_feedforward_layernorm"),
]);
