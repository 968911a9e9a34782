//! Qwen 3 MoE: Qwen 3's block with a mixture of experts in some layers, mostly in all.
//!
//! Paper: <https://arxiv.org/abs/2505.09388>. Checkpoints: `Qwen/Qwen3-30B-A3B`, …

use super::config::Config;
use super::{Names, Role, llama, mixtral, qwen3};
use crate::error::{Error, Result};
use crate::model::spec::Spec;

/// What transformers takes where `config.json` does not say.
const EXPERTS: usize = 128;
const USED: usize = 8;
const WIDTH: usize = 768;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = qwen3::spec(config)?;
    let window =
        if config.flag("use_sliding_window", false)? { config.optional_count("sliding_window")? } else { None };
    spec.attentions().for_each(|attention| attention.window = window);
    let experts = mixtral::experts(config, EXPERTS, USED, config.flag("norm_topk_prob", false)?)?;
    let width = config.count("moe_intermediate_size", WIDTH)?;
    let step = config.count("decoder_sparse_step", 1)?.max(1);
    let dense = config.list("mlp_only_layers")?.unwrap_or_default();
    if let Some(layer) = dense.iter().find(|layer| layer.as_u64().is_none()) {
        return Err(Error::corrupt(format!("layer {layer} in \"mlp_only_layers\"")));
    }
    for (layer, feed_forward) in spec.feed_forwards().enumerate() {
        let listed = dense.iter().any(|dense| dense.as_u64() == Some(layer as u64));
        if !listed && (layer + 1).is_multiple_of(step) {
            (feed_forward.width, feed_forward.experts) = (width, Some(experts));
        }
    }
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = llama::NAMES.with(&[
    (Role::Router, "layers.{}.mlp.gate"),
    (Role::ExpertGate, "layers.{}.mlp.experts.{}.gate_proj"),
    (Role::ExpertUp, "layers.{}.mlp.experts.{}.up_proj"),
    (Role::ExpertDown, "layers.{}.mlp.experts.{}.down_proj"),
]);
