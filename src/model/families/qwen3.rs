//! Qwen 3: Qwen 2's block with an RMSNorm on each query and key head instead of the biases.
//!
//! Papers: <https://arxiv.org/abs/2505.09388>, of the embedding models <https://arxiv.org/abs/2506.05176>. Checkpoints:
//! `Qwen/Qwen3-0.6B`, `Qwen/Qwen3-Embedding-0.6B`, …

use super::config::Config;
use super::qwen2;
use crate::error::Result;
use crate::model::spec::{Attention, Head, HeadNorm, Spec};

/// What transformers takes where `config.json` does not say.
const HEAD_DIM: usize = 128;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = qwen2::block(config)?;
    let head_dim = config.count("head_dim", HEAD_DIM)?;
    let biases = config.flag("attention_bias", false)?;
    let rope = config.rope(head_dim, 10_000.0, None)?;
    for attention in spec.attentions() {
        let Attention { heads, kv_heads, window, .. } = *attention;
        *attention = Attention {
            kv_heads,
            window,
            causal: true,
            rope: Some(rope.clone()),
            head_norm: HeadNorm::Each,
            qkv_bias: biases,
            output_bias: biases,
            ..Attention::plain(heads, head_dim)
        };
    }
    // The embedding models are the body alone.
    if config.class() == Some("Qwen3Model") {
        spec.head = Head::None { pooler: false };
    }
    Ok(spec)
}
