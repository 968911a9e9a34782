//! gpt-oss: Llama's block with a mixture of experts whose gates are clamped, a learned score of no key in each head's
//! softmax, and a sliding window in every other layer.
//!
//! Model card: <https://arxiv.org/abs/2508.10925>. Checkpoints, as GGUF files: `ggml-org/gpt-oss-20b-GGUF`, …

use super::config::Config;
use super::{Layout, Names, Role, llama, mixtral};
use crate::error::{Error, Result};
use crate::model::spec::{Experts, Norm, Spec};

/// What transformers takes where `config.json` does not say.
const THETA: f64 = 150_000.0;
const HEAD_DIM: usize = 64;
const KV_HEADS: usize = 8;
const CONTEXT: usize = 131_072;
const WINDOW: usize = 128;
const EXPERTS: usize = 128;
const USED: usize = 4;
const LIMIT: f64 = 7.0;
/// What the gate's sigmoid multiplies its input by.
const ALPHA: f64 = 1.702;

pub fn spec(config: &Config) -> Result<Spec> {
    config.expect("swiglu_alpha", ALPHA)?;
    if !(config.has("rope_parameters") || config.has("rope_scaling")) {
        return Err(Error::unsupported("gpt-oss without \"rope_parameters\" or \"rope_scaling\""));
    }
    let head_dim = config.count("head_dim", HEAD_DIM)?;
    let mut spec = llama::block_of(config, head_dim, config.rope(head_dim, THETA, None)?)?;
    spec.norm = Norm::Rms { epsilon: config.number("rms_norm_eps", 1e-5)? as f32, plus_one: false };
    let kv_heads = config.count("num_key_value_heads", KV_HEADS)?;
    let limit = Some(config.number("swiglu_limit", LIMIT)? as f32);
    let experts = Experts { bias: true, limit, ..mixtral::experts(config, EXPERTS, USED, true)? };
    spec.set_attention_biases(config.flag("attention_bias", true)?);
    spec.attentions().for_each(|attention| (attention.kv_heads, attention.sinks) = (kv_heads, true));
    spec.feed_forwards().for_each(|own| (own.bias, own.experts) = (true, Some(experts)));
    let local = config.local_layers(spec.layers(), |layer| layer % 2 == 0)?;
    spec.set_windows(&local, Some(config.count("sliding_window", WINDOW)?));
    let context = config.count("max_position_embeddings", CONTEXT)?;
    spec.tokens().for_each(|tokens| tokens.context = context);
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    layout: Layout::ExpertsTransposed,
    ..llama::NAMES.with(&[
        (Role::Sinks, "layers.{}.self_attn.sinks"),
        (Role::Router, "layers.{}.mlp.router"),
        (Role::ExpertGate, "layers.{}.mlp.experts.gate_up_proj"),
        (Role::ExpertUp, "layers.{}.mlp.experts.gate_up_proj"),
        (Role::ExpertDown, "layers.{}.mlp.experts.down_proj"),
    ])
};
