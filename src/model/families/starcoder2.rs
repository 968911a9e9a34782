//! StarCoder2: Llama's block with LayerNorm, biases, and a feed-forward network without gate; where the configuration has
//! a sliding window, every layer has it.
//!
//! Paper: <https://arxiv.org/abs/2402.19173>. Checkpoints: `bigcode/starcoder2-3b`, `bigcode/starcoder2-7b`, …

use super::config::Config;
use super::{Names, Role, llama};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Head, Norm, Spec};

/// What transformers takes where `config.json` does not say.
const KV_HEADS: usize = 2;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = llama::block(config, 10_000.0, None)?;
    spec.norm = Norm::Layer { epsilon: config.number("norm_epsilon", 1e-5)? as f32, bias: true };
    spec.set_biases(config.flag("use_bias", true)?);
    let kv_heads = config.count("num_key_value_heads", KV_HEADS)?;
    let window = config.optional_count("sliding_window")?;
    let activation = config.activation("hidden_act", Activation::GeluTanh)?;
    spec.attentions().for_each(|attention| (attention.kv_heads, attention.window) = (kv_heads, window));
    spec.feed_forwards().for_each(|own| (own.gated, own.activation) = (false, activation));
    spec.head = Head::Vocabulary(llama::head(config, true)?);
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = llama::NAMES.with(&[(Role::Up, "layers.{}.mlp.c_fc"), (Role::Down, "layers.{}.mlp.c_proj")]);
