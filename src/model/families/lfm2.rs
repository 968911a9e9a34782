//! LFM2: gated convolutions over the last few tokens in most layers, attention with normed heads in the others, and SwiGLU.
//!
//! Paper: <https://arxiv.org/abs/2511.23404>. Checkpoints: `LiquidAI/LFM2-350M`, `LiquidAI/LFM2-1.2B`, …

use super::config::Config;
use super::{Names, Role, llama};
use crate::error::Result;
use crate::model::check::check_width;
use crate::model::spec::{Head, Mixer, Norm, QkNorm, ShortConv, Spec, VocabularyHead};

/// What transformers takes where `config.json` does not say.
const THETA: f64 = 1_000_000.0;
const KV_HEADS: usize = 8;
const CONTEXT: usize = 128_000;
const WIDTH: usize = 12_288;
const MULTIPLE: usize = 256;
const TAPS: usize = 3;

pub fn spec(config: &Config) -> Result<Spec> {
    let (heads, width) = (config.required("num_attention_heads")?, config.required("hidden_size")?);
    let head_dim = config.head_dim(width, heads)?;
    let mut spec = llama::block_of(config, head_dim, config.rope(head_dim, THETA, None)?)?;
    spec.norm = Norm::Rms { epsilon: config.number("norm_eps", 1e-5)? as f32, plus_one: false };
    let context = config.count("max_position_embeddings", CONTEXT)?;
    spec.tokens().for_each(|tokens| tokens.context = context);
    let inner = inner(config)?;
    spec.feed_forwards().for_each(|feed_forward| feed_forward.width = inner);
    let kv_heads = config.count("num_key_value_heads", KV_HEADS)?;
    for attention in spec.attentions() {
        (attention.kv_heads, attention.qk_norm) = (kv_heads, QkNorm::PerHead);
    }
    let conv = ShortConv { taps: config.count("conv_L_cache", TAPS)?, bias: config.flag("conv_bias", false)? };
    for (block, attends) in spec.blocks.iter_mut().zip(attends(config)?) {
        if !attends {
            block.mixer = Mixer::ShortConv(conv);
        }
    }
    let tied = config.flag("tie_embedding", config.flag("tie_word_embeddings", true)?)?;
    spec.head = Head::Vocabulary(VocabularyHead::plain(tied));
    Ok(spec)
}

/// Which layers have attention.
fn attends(config: &Config) -> Result<Vec<bool>> {
    let layers = config.layers("num_hidden_layers")?;
    if let Some(said) = config.layer_types(layers, [("full_attention", true), ("conv", false)])? {
        return Ok(said);
    }
    // As the first checkpoints say it.
    let listed = config.list("full_attn_idxs")?;
    let is_listed = |layer: u64| listed.is_none_or(|listed| listed.iter().any(|other| other.as_u64() == Some(layer)));
    Ok((0..layers as u64).map(is_listed).collect())
}

/// The feed-forward network's width: what the configuration says is that of one without a gate.
fn inner(config: &Config) -> Result<usize> {
    let said = check_width("feed-forward width", config.count("block_ff_dim|intermediate_size", WIDTH)?)?;
    if !config.flag("block_auto_adjust_ff_dim", true)? {
        return Ok(said);
    }
    let scaled = (config.number("block_ffn_dim_multiplier", 1.0)? * (2 * said / 3) as f64) as usize;
    let multiple = check_width("\"block_multiple_of\"", config.count("block_multiple_of", MULTIPLE)?)?;
    Ok(check_width("feed-forward width", scaled)?.next_multiple_of(multiple))
}

/// transformers' tensor names.
pub const NAMES: Names = llama::NAMES.with(&[
    (Role::OutputNorm, "embedding_norm"),
    (Role::AttentionNorm, "layers.{}.operator_norm"),
    (Role::Output, "layers.{}.self_attn.out_proj"),
    (Role::QueryNorm, "layers.{}.self_attn.q_layernorm"),
    (Role::KeyNorm, "layers.{}.self_attn.k_layernorm"),
    (Role::ConvInput, "layers.{}.conv.in_proj"),
    (Role::ConvTaps, "layers.{}.conv.conv"),
    (Role::ConvOutput, "layers.{}.conv.out_proj"),
    (Role::FeedForwardNorm, "layers.{}.ffn_norm"),
    (Role::Gate, "layers.{}.feed_forward.w1"),
    (Role::Up, "layers.{}.feed_forward.w3"),
    (Role::Down, "layers.{}.feed_forward.w2"),
]);
