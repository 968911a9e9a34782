//! Qwen 3: Qwen 2's block with an RMSNorm on each query and key head instead of the biases.
//!
//! Paper: <https://arxiv.org/abs/2505.09388>. Checkpoints: `Qwen/Qwen3-0.6B`, …

use super::config::Config;
use super::qwen2;
use crate::error::Result;
use crate::model::spec::Spec;

/// What transformers takes where `config.json` does not say.
const HEAD_DIM: usize = 128;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = qwen2::spec(config)?;
    let head_dim = config.head_dim.unwrap_or(HEAD_DIM);
    spec.attention.head_dim = head_dim;
    spec.attention.rope = Some(config.rope(head_dim)?);
    spec.attention.head_norm = true;
    spec.attention.qkv_bias = config.attention_bias;
    spec.attention.output_bias = config.attention_bias;
    Ok(spec)
}
