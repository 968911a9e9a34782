//! Mistral: Llama's block; where the configuration has a sliding window, every layer has it.
//!
//! Paper: <https://arxiv.org/abs/2310.06825>. Checkpoints: `mistralai/Mistral-7B-v0.1`, …

use super::config::Config;
use super::llama;
use crate::error::Result;
use crate::model::spec::Spec;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = llama::spec(config)?;
    spec.attention.windows = vec![config.sliding_window; spec.layers];
    spec.attention.qkv_bias = false;
    spec.attention.output_bias = false;
    spec.feed_forward.bias = false;
    Ok(spec)
}
