//! Phi: GPT-2's block with attention and feed-forward side by side, reading one norm; RoPE turns the first half of each
//! head. The head has a bias and a matrix of its own.
//!
//! Paper: <https://arxiv.org/abs/2306.11644>. Checkpoints: `microsoft/phi-1`, `microsoft/phi-1_5`, `microsoft/phi-2`, …

use super::config::Config;
use super::{Names, Role, gpt2, llama};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Attention, Head, Residual, Spec, VocabularyHead};

/// What transformers takes where `config.json` does not say.
const THETA: f64 = 10_000.0;
const TURNING: f64 = 0.5;

pub fn spec(config: &Config) -> Result<Spec> {
    config.refuse("qk_layernorm")?;
    let context = config.count("max_position_embeddings", 2048)?;
    let mut spec = gpt2::block(config, context, Activation::GeluTanh)?;
    let Attention { heads, head_dim, .. } = *spec.attention();
    config.expect("head_dim", head_dim)?;
    let rope = config.rope(head_dim, THETA, Some(TURNING))?;
    let kv_heads = config.count("num_key_value_heads", heads)?;
    spec.attentions().for_each(|own| (own.rope, own.kv_heads) = (Some(rope.clone()), kv_heads));
    spec.set_residual(Residual::Parallel { shared_norm: true });
    spec.head = Head::Vocabulary(VocabularyHead { bias: true, ..llama::head(config, false)? });
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = llama::NAMES.with(&[
    (Role::OutputNorm, "final_layernorm"),
    (Role::Output, "layers.{}.self_attn.dense"),
    (Role::Up, "layers.{}.mlp.fc1"),
    (Role::Down, "layers.{}.mlp.fc2"),
]);
