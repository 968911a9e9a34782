//! Phi-3: Llama's block with queries, keys and values in one matrix, and gate and up in another; where the configuration
//! has a sliding window, every layer has it.
//!
//! Paper: <https://arxiv.org/abs/2404.14219>. Checkpoints: `microsoft/Phi-3-mini-4k-instruct`,
//! `microsoft/Phi-3.5-mini-instruct`, `microsoft/Phi-4-mini-instruct`, `microsoft/phi-4`, …

use super::config::Config;
use super::{Names, Role, llama};
use crate::error::{Error, Result};
use crate::model::spec::{Norm, Spec};

pub fn spec(config: &Config) -> Result<Spec> {
    for name in ["rope_scaling", "rope_parameters"] {
        // The earliest name of LongRoPE, whose factors it has.
        if config.part(name)?.text("rope_type|type")? == Some("yarn") {
            return Err(Error::unsupported("RoPE scaling \"yarn\" (supported: longrope)"));
        }
    }
    let mut spec = llama::block(config, 10_000.0, Some(1.0))?;
    spec.norm = Norm::Rms { epsilon: config.number("rms_norm_eps", 1e-5)? as f32, plus_one: false };
    let window = config.optional_count("sliding_window")?;
    spec.attentions().for_each(|attention| attention.window = window);
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = llama::NAMES.with(&[
    (Role::Query, "layers.{}.self_attn.qkv_proj"),
    (Role::Key, "layers.{}.self_attn.qkv_proj"),
    (Role::Value, "layers.{}.self_attn.qkv_proj"),
    (Role::Gate, "layers.{}.mlp.gate_up_proj"),
    (Role::Up, "layers.{}.mlp.gate_up_proj"),
]);
