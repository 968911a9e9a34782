//! StableLM: Llama's block with LayerNorm; RoPE turns the first quarter of each head.
//!
//! Paper: <https://arxiv.org/abs/2402.17834>. Checkpoints: `stabilityai/stablelm-2-1_6b`, `stabilityai/stablelm-3b-4e1t`, …

use super::config::Config;
use super::llama;
use crate::error::Result;
use crate::model::spec::{Norm, Residual, Spec};

/// The part of a head that turns, where `config.json` does not say.
const TURNING: f64 = 0.25;

pub fn spec(config: &Config) -> Result<Spec> {
    config.refuse("qk_layernorm")?;
    let mut spec = llama::block(config, 10_000.0, Some(TURNING))?;
    spec.norm = Norm::Layer { epsilon: config.number("layer_norm_eps", 1e-5)? as f32, bias: true };
    let biases = config.flag("use_qkv_bias", false)?;
    spec.attentions().for_each(|attention| attention.qkv_bias = biases);
    if config.flag("use_parallel_residual", false)? {
        spec.set_residual(Residual::Parallel { shared_norm: true });
    }
    Ok(spec)
}
