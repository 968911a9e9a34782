//! Llama: RMSNorm before attention and feed-forward, RoPE, grouped KV heads, SwiGLU; others share its block, or build on
//! it.
//!
//! Paper: <https://arxiv.org/abs/2302.13971>. Checkpoints: `meta-llama/Llama-3.2-1B`,
//! `HuggingFaceTB/SmolLM2-135M-Instruct`, …

use super::config::Config;
use super::{Names, Role};
use crate::device::Activation;
use crate::error::Result;
use crate::model::rope::Rope;
use crate::model::spec::{Attention, FeedForward, Head, Norm, Spec, StackInput, Tokens, VocabularyHead};

/// What transformers takes where `config.json` does not say.
const THETA: f64 = 10_000.0;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = block(config, THETA, None)?;
    spec.set_attention_biases(config.flag("attention_bias", false)?);
    spec.set_feed_forward_biases(config.flag("mlp_bias", false)?);
    Ok(spec)
}

/// The block that others build on, without biases, and a head of its own where the configuration does not say. `theta` and
/// `partial`: RoPE's, likewise.
pub fn block(config: &Config, theta: f64, partial: Option<f64>) -> Result<Spec> {
    let head_dim = match config.optional_count("head_dim")? {
        Some(head_dim) => head_dim,
        None => config.head_dim(config.required("hidden_size")?, config.required("num_attention_heads")?)?,
    };
    block_of(config, head_dim, config.rope(head_dim, theta, partial)?)
}

/// The same with heads and RoPE as a family has them.
pub fn block_of(config: &Config, head_dim: usize, rope: Rope) -> Result<Spec> {
    let (layers, width) = (config.layers("num_hidden_layers")?, config.required("hidden_size")?);
    let heads = config.required("num_attention_heads")?;
    let attention = Attention {
        kv_heads: config.count("num_key_value_heads", heads)?,
        causal: true,
        rope: Some(rope),
        ..Attention::plain(heads, head_dim)
    };
    let inner = config.required("intermediate_size|block_ff_dim")?;
    let activation = config.activation("hidden_act", Activation::Silu)?;
    let feed_forward = FeedForward { gated: true, ..FeedForward::plain(inner, activation) };
    let tokens = Tokens::plain(config.required("vocab_size")?, config.count("max_position_embeddings", 2048)?);
    let norm = Norm::Rms { epsilon: config.number("rms_norm_eps", 1e-6)? as f32, plus_one: false };
    let spec = Spec::uniform(width, StackInput::Tokens(tokens), norm, layers, attention, feed_forward);
    Ok(Spec { head: Head::Vocabulary(head(config, false)?), ..spec })
}

/// `tied`: whether the head is the embedding table where the configuration does not say.
pub fn head(config: &Config, tied: bool) -> Result<VocabularyHead> {
    Ok(VocabularyHead::plain(config.flag("tie_word_embeddings", tied)?))
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    prefix: "model.",
    parts: &[
        (Role::Embedding, "embed_tokens"),
        (Role::OutputNorm, "norm"),
        (Role::Head, "lm_head"),
        (Role::AttentionNorm, "layers.{}.input_layernorm"),
        (Role::Query, "layers.{}.self_attn.q_proj"),
        (Role::Key, "layers.{}.self_attn.k_proj"),
        (Role::Value, "layers.{}.self_attn.v_proj"),
        (Role::Output, "layers.{}.self_attn.o_proj"),
        (Role::QueryNorm, "layers.{}.self_attn.q_norm"),
        (Role::KeyNorm, "layers.{}.self_attn.k_norm"),
        (Role::FeedForwardNorm, "layers.{}.post_attention_layernorm"),
        (Role::Gate, "layers.{}.mlp.gate_proj"),
        (Role::Up, "layers.{}.mlp.up_proj"),
        (Role::Down, "layers.{}.mlp.down_proj"),
    ],
    // A buffer that older releases of transformers saved: the same as RoPE's own formula gives.
    ignored: &["layers.{}.self_attn.rotary_emb.inv_freq"],
    ..Names::PLAIN
};
