//! Mixtral: Llama's block with a mixture of experts for its feed-forward network.
//!
//! Paper: <https://arxiv.org/abs/2401.04088>. Checkpoints: `mistralai/Mixtral-8x7B-Instruct-v0.1`, …

use super::config::Config;
use super::{Names, Role, llama};
use crate::error::Result;
use crate::model::spec::{Experts, Norm, Spec};

/// What transformers takes where `config.json` does not say.
const THETA: f64 = 1_000_000.0;
const KV_HEADS: usize = 8;
const EXPERTS: usize = 8;
const USED: usize = 2;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = llama::block(config, THETA, None)?;
    spec.norm = Norm::Rms { epsilon: config.number("rms_norm_eps", 1e-5)? as f32, plus_one: false };
    let (kv_heads, window) = (config.count("num_key_value_heads", KV_HEADS)?, config.optional_count("sliding_window")?);
    spec.attentions().for_each(|attention| (attention.kv_heads, attention.window) = (kv_heads, window));
    let experts = experts(config, EXPERTS, USED, true)?;
    spec.feed_forwards().for_each(|feed_forward| feed_forward.experts = Some(experts));
    Ok(spec)
}

/// The mixture that a configuration asks for. `count` and `used`: where it does not say.
pub fn experts(config: &Config, count: usize, used: usize, renormalise: bool) -> Result<Experts> {
    Ok(Experts {
        count: config.count("num_local_experts|num_experts", count)?,
        used: config.count("num_experts_per_tok", used)?,
        renormalise,
        bias: false,
        limit: None,
    })
}

/// transformers' tensor names.
pub const NAMES: Names = llama::NAMES.with(&[
    (Role::Router, "layers.{}.block_sparse_moe.gate"),
    (Role::ExpertGate, "layers.{}.block_sparse_moe.experts.{}.w1"),
    (Role::ExpertUp, "layers.{}.block_sparse_moe.experts.{}.w3"),
    (Role::ExpertDown, "layers.{}.block_sparse_moe.experts.{}.w2"),
]);
