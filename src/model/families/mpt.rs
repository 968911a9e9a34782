//! MPT: GPT-2's block without biases, with ALiBi instead of positions.
//!
//! Announcement: <https://www.databricks.com/blog/mpt-7b>. Checkpoints: `mosaicml/mpt-7b`, `mosaicml/mpt-7b-chat`, … (not
//! `mosaicml/mpt-7b-storywriter`, which clips queries, keys and values).

use super::config::Config;
use super::{Names, Role, alibi, gpt2};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Norm, Spec};

pub fn spec(config: &Config) -> Result<Spec> {
    config.expect("no_bias", true)?;
    config.refuse("logit_scale")?;
    let asked = config.part("attn_config")?;
    asked.expect("attn_type", "multihead_attention")?;
    asked.expect("alibi", true)?;
    asked.expect("alibi_bias_max", 8)?;
    for name in ["clip_qkv", "qk_ln", "prefix_lm"] {
        asked.refuse(name)?;
    }
    let context = config.count("max_seq_len", 2048)?;
    let mut spec = gpt2::block(config, context, Activation::Gelu)?;
    if let Norm::Layer { bias, .. } = &mut spec.norm {
        *bias = false;
    }
    spec.set_biases(false);
    spec.score_bias = alibi::slopes(spec.attention().heads, 1.0);
    let scale = asked.number("softmax_scale", spec.attention().scale.into())? as f32;
    spec.attentions().for_each(|attention| attention.scale = scale);
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    prefix: "transformer.",
    parts: &[
        (Role::Embedding, "wte"),
        (Role::OutputNorm, "norm_f"),
        (Role::Head, "lm_head"),
        (Role::AttentionNorm, "blocks.{}.norm_1"),
        (Role::Query, "blocks.{}.attn.Wqkv"),
        (Role::Key, "blocks.{}.attn.Wqkv"),
        (Role::Value, "blocks.{}.attn.Wqkv"),
        (Role::Output, "blocks.{}.attn.out_proj"),
        (Role::FeedForwardNorm, "blocks.{}.norm_2"),
        (Role::Up, "blocks.{}.ffn.up_proj"),
        (Role::Down, "blocks.{}.ffn.down_proj"),
    ],
    ..Names::PLAIN
};
