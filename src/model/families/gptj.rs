//! GPT-J: attention and feed-forward side by side, reading one norm; RoPE turns neighbouring dimensions, the first of each
//! head only. Biases in the feed-forward network and the head.
//!
//! Code: <https://github.com/kingoflolz/mesh-transformer-jax>. Checkpoints: `EleutherAI/gpt-j-6b`,
//! `databricks/dolly-v1-6b`, …

use super::config::Config;
use super::{Names, Role, gpt2, llama};
use crate::device::{Activation, RopePairs};
use crate::error::Result;
use crate::model::rope::{Rope, RopeScaling};
use crate::model::spec::{Head, Residual, Spec, VocabularyHead};

/// Dimensions that turn where `config.json` does not say; null says that all do.
const ROTARY: usize = 64;

pub fn spec(config: &Config) -> Result<Spec> {
    let context = config.count("n_positions|max_position_embeddings", 2048)?;
    let mut spec = gpt2::block(config, context, Activation::GeluTanh)?;
    let whole = if config.mentions("rotary_dim") { spec.attention().head_dim } else { ROTARY };
    let dims = config.count("rotary_dim", whole)?;
    let rope = Rope { pairs: RopePairs::Interleaved, dims, theta: 10_000.0, scaling: RopeScaling::None };
    spec.attentions().for_each(|attention| attention.rope = Some(rope.clone()));
    spec.set_attention_biases(false);
    spec.set_residual(Residual::Parallel { shared_norm: true });
    spec.head = Head::Vocabulary(VocabularyHead { bias: true, ..llama::head(config, false)? });
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    prefix: "transformer.",
    parts: &[
        (Role::Embedding, "wte"),
        (Role::OutputNorm, "ln_f"),
        (Role::Head, "lm_head"),
        (Role::AttentionNorm, "h.{}.ln_1"),
        (Role::Query, "h.{}.attn.q_proj"),
        (Role::Key, "h.{}.attn.k_proj"),
        (Role::Value, "h.{}.attn.v_proj"),
        (Role::Output, "h.{}.attn.out_proj"),
        (Role::Up, "h.{}.mlp.fc_in"),
        (Role::Down, "h.{}.mlp.fc_out"),
    ],
    ignored: gpt2::MASKS,
    ..Names::PLAIN
};
