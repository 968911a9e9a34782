//! GPT-NeoX: attention and feed-forward side by side, each with its norm; RoPE turns the first quarter of each head.
//! Queries, keys and values take turns, head by head, in one matrix.
//!
//! Paper: <https://arxiv.org/abs/2204.06745>. Checkpoints: `EleutherAI/pythia-70m`, `EleutherAI/gpt-neox-20b`, …

use super::config::Config;
use super::{Layout, Names, Role, gpt2, llama};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Head, Residual, Spec};

/// What transformers takes where `config.json` does not say.
const THETA: f64 = 10_000.0;
const TURNING: f64 = 0.25;

pub fn spec(config: &Config) -> Result<Spec> {
    let context = config.count("max_position_embeddings", 2048)?;
    let mut spec = gpt2::block(config, context, Activation::Gelu)?;
    let rope = config.rope(spec.attention().head_dim, THETA, Some(TURNING))?;
    spec.attentions().for_each(|attention| attention.rope = Some(rope.clone()));
    spec.set_attention_biases(config.flag("attention_bias", true)?);
    if config.flag("use_parallel_residual", true)? {
        spec.set_residual(Residual::Parallel { shared_norm: false });
    }
    spec.head = Head::Vocabulary(llama::head(config, false)?);
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    prefix: "gpt_neox.",
    parts: &[
        (Role::Embedding, "embed_in"),
        (Role::OutputNorm, "final_layer_norm"),
        (Role::Head, "embed_out"),
        (Role::AttentionNorm, "layers.{}.input_layernorm"),
        (Role::Query, "layers.{}.attention.query_key_value"),
        (Role::Key, "layers.{}.attention.query_key_value"),
        (Role::Value, "layers.{}.attention.query_key_value"),
        (Role::Output, "layers.{}.attention.dense"),
        (Role::FeedForwardNorm, "layers.{}.post_attention_layernorm"),
        (Role::Up, "layers.{}.mlp.dense_h_to_4h"),
        (Role::Down, "layers.{}.mlp.dense_4h_to_h"),
    ],
    // Buffers that older releases of transformers saved.
    ignored: &[
        "layers.{}.attention.bias",
        "layers.{}.attention.masked_bias",
        "layers.{}.attention.rotary_emb.inv_freq",
    ],
    layout: Layout::ByHeads,
    ..Names::PLAIN
};
