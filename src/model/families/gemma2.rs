//! Gemma 2: Gemma's block with norms before and after each branch, a sliding window in every other layer, and scores and
//! logits that tanh keeps below a cap.
//!
//! Paper: <https://arxiv.org/abs/2408.00118>. Checkpoints: `google/gemma-2-2b-it`, …

use super::config::Config;
use super::{Layout, Names, Part, gemma};
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
    let local = config.local_layers(spec.layers())?;
    let local = local.unwrap_or_else(|| (0..spec.layers()).map(|layer| layer % 2 == 0).collect());
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
pub const NAMES: Names = Names {
    prefix: "model.",
    parts: &[
        (Part::Embedding, "embed_tokens"),
        (Part::OutputNorm, "norm"),
        (Part::Head, "lm_head"),
        (Part::AttentionNorm, "layers.{}.input_layernorm"),
        (Part::Query, "layers.{}.self_attn.q_proj"),
        (Part::Key, "layers.{}.self_attn.k_proj"),
        (Part::Value, "layers.{}.self_attn.v_proj"),
        (Part::Output, "layers.{}.self_attn.o_proj"),
        (Part::QueryNorm, "layers.{}.self_attn.q_norm"),
        (Part::KeyNorm, "layers.{}.self_attn.k_norm"),
        (Part::AttentionPostNorm, "layers.{}.post_attention_layernorm"),
        (Part::FeedForwardNorm, "layers.{}.pre_feedforward_layernorm"),
        (Part::Gate, "layers.{}.mlp.gate_proj"),
        (Part::Up, "layers.{}.mlp.up_proj"),
        (Part::Down, "layers.{}.mlp.down_proj"),
        (Part::FeedForwardPostNorm, "layers.{}.post_feedforward_layernorm"),
    ],
    ignored: &[],
    layout: Layout::Stacked,
};
