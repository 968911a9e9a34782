//! Qwen 3: Qwen 2's block with an RMSNorm on each query and key head instead of the biases.
//!
//! Paper: <https://arxiv.org/abs/2505.09388>. Checkpoints: `Qwen/Qwen3-0.6B`, …

use super::config::Config;
use super::qwen2;
use crate::error::Result;
use crate::model::spec::{Attention, HeadNorm, Spec};

/// What transformers takes where `config.json` does not say.
const HEAD_DIM: usize = 128;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = qwen2::block(config)?;
    let head_dim = config.count("head_dim", HEAD_DIM)?;
    let biases = config.flag("attention_bias", false)?;
    let Attention { heads, kv_heads, windows, .. } = spec.attention;
    spec.attention = Attention {
        kv_heads,
        windows,
        causal: true,
        head_norm: HeadNorm::Each,
        qkv_bias: biases,
        output_bias: biases,
        ..Attention::plain(spec.layers, heads, head_dim).rotated(config.rope(head_dim, 10_000.0, None)?)
    };
    Ok(spec)
}
