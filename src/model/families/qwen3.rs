//! Qwen 3: Qwen 2's block with an RMSNorm on each query and key head instead of the biases.
//!
//! Papers: <https://arxiv.org/abs/2505.09388>, of the embedding models <https://arxiv.org/abs/2506.05176>. Checkpoints:
//! `Qwen/Qwen3-0.6B`, `Qwen/Qwen3-Embedding-0.6B`, …

use super::config::Config;
use super::{llama, qwen2};
use crate::error::Result;
use crate::model::spec::{Head, QkNorm, Spec};

/// What transformers takes where `config.json` does not say.
const HEAD_DIM: usize = 128;

pub fn spec(config: &Config) -> Result<Spec> {
    let head_dim = config.count("head_dim", HEAD_DIM)?;
    let mut spec = llama::block_of(config, head_dim, config.rope(head_dim, 10_000.0, None)?)?;
    spec.set_attention_biases(config.flag("attention_bias", false)?);
    spec.attentions().for_each(|attention| attention.qk_norm = QkNorm::PerHead);
    // The embedding models are the body alone.
    if config.class() == Some("Qwen3Model") {
        spec.head = Head::None { pooler: false };
    }
    qwen2::windows(config, spec)
}
