//! Cohere: attention and SwiGLU side by side, reading one LayerNorm without bias, as in PaLM; RoPE turns neighbouring
//! dimensions. The logits are scaled.
//!
//! Announcement: <https://cohere.com/blog/command-r>. Checkpoints: `CohereLabs/c4ai-command-r-v01`,
//! `CohereLabs/aya-23-8B`, …

use super::config::Config;
use super::llama;
use crate::device::RopePairs;
use crate::error::Result;
use crate::model::spec::{Head, Norm, Residual, Spec, VocabularyHead};

/// What transformers takes where `config.json` does not say.
const THETA: f64 = 500_000.0;
const LOGIT_SCALE: f64 = 0.0625;

pub fn spec(config: &Config) -> Result<Spec> {
    config.refuse("use_qk_norm")?;
    block(config, THETA)
}

/// What Cohere 2 shares. `theta`: where the configuration does not say.
pub fn block(config: &Config, theta: f64) -> Result<Spec> {
    let mut spec = llama::block(config, theta, None)?;
    spec.set_attention_biases(config.flag("attention_bias", false)?);
    spec.attentions().flat_map(|attention| &mut attention.rope).for_each(|rope| rope.pairs = RopePairs::Interleaved);
    spec.norm = Norm::Layer { epsilon: config.number("layer_norm_eps", 1e-5)? as f32, bias: false };
    spec.set_residual(Residual::Parallel { shared_norm: true });
    let scale = config.number("logit_scale", LOGIT_SCALE)? as f32;
    spec.head = Head::Vocabulary(VocabularyHead { scale, ..llama::head(config, true)? });
    Ok(spec)
}
