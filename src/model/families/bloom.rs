//! BLOOM: GPT-2's block with ALiBi instead of positions, and a norm after the embedding. Queries, keys and values take
//! turns, head by head, in one matrix.
//!
//! Paper: <https://arxiv.org/abs/2211.05100>. Checkpoints: `bigscience/bloom-560m`, `bigscience/bloomz-560m`, …

use super::config::Config;
use super::{Layout, Names, Role, alibi, gpt2};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::Spec;

pub fn spec(config: &Config) -> Result<Spec> {
    config.refuse("apply_residual_connection_post_layernorm")?;
    let context = config.count("seq_length", 2048)?;
    let mut spec = gpt2::block(config, context, Activation::GeluTanh)?;
    spec.input_norm = true;
    spec.score_bias = alibi::slopes(spec.attention().heads, 1.0);
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    prefix: "transformer.",
    parts: &[
        (Role::Embedding, "word_embeddings"),
        (Role::InputNorm, "word_embeddings_layernorm"),
        (Role::OutputNorm, "ln_f"),
        (Role::Head, "lm_head"),
        (Role::AttentionNorm, "h.{}.input_layernorm"),
        // Falcon's larger models.
        (Role::AttentionNorm, "h.{}.ln_attn"),
        (Role::FeedForwardNorm, "h.{}.ln_mlp"),
        (Role::Query, "h.{}.self_attention.query_key_value"),
        (Role::Key, "h.{}.self_attention.query_key_value"),
        (Role::Value, "h.{}.self_attention.query_key_value"),
        (Role::Output, "h.{}.self_attention.dense"),
        (Role::FeedForwardNorm, "h.{}.post_attention_layernorm"),
        (Role::Up, "h.{}.mlp.dense_h_to_4h"),
        (Role::Down, "h.{}.mlp.dense_4h_to_h"),
    ],
    layout: Layout::ByHeads,
    ..Names::PLAIN
};
