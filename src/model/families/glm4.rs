//! GLM-4: Llama's block with norms before and after each branch; RoPE turns neighbouring dimensions, the first half of
//! each head.
//!
//! Paper: <https://arxiv.org/abs/2406.12793>. Checkpoints: `zai-org/GLM-4-9B-0414`, `zai-org/GLM-Z1-9B-0414`, …

use super::config::Config;
use super::{Names, Role, llama};
use crate::device::RopePairs;
use crate::error::Result;
use crate::model::rope::Rope;
use crate::model::spec::{Norm, Residual, Spec};

/// What transformers takes where `config.json` does not say.
const THETA: f64 = 10_000.0;
const TURNING: f64 = 0.5;
const HEAD_DIM: usize = 128;
const KV_HEADS: usize = 2;
const EPSILON: f64 = 1.5625e-7;
const CONTEXT: usize = 131_072;

pub fn spec(config: &Config) -> Result<Spec> {
    let head_dim = config.count("head_dim", HEAD_DIM)?;
    let rope = Rope { pairs: RopePairs::Interleaved, ..config.rope(head_dim, THETA, Some(TURNING))? };
    let mut spec = llama::block_of(config, head_dim, rope)?;
    let context = config.count("max_position_embeddings", CONTEXT)?;
    spec.tokens().for_each(|tokens| tokens.context = context);
    let kv_heads = config.count("num_key_value_heads", KV_HEADS)?;
    // The output's product has none, whatever is said.
    let biases = config.flag("attention_bias", true)?;
    spec.attentions().for_each(|attention| (attention.kv_heads, attention.qkv_bias) = (kv_heads, biases));
    spec.norm = Norm::Rms { epsilon: config.number("rms_norm_eps", EPSILON)? as f32, plus_one: false };
    spec.set_residual(Residual::Sandwich);
    Ok(spec)
}

/// transformers' tensor names. `post_attention_layernorm` is not of what follows attention, despite its name.
pub const NAMES: Names = llama::NAMES.with(&[
    (Role::AttentionPostNorm, "layers.{}.post_self_attn_layernorm"),
    (Role::Gate, "layers.{}.mlp.gate_up_proj"),
    (Role::Up, "layers.{}.mlp.gate_up_proj"),
    (Role::FeedForwardPostNorm, "layers.{}.post_mlp_layernorm"),
]);
